"""Supported stand-ins for tests: an issuer that signs tokens the way the platform's realm does."""

from __future__ import annotations

import json
import time
from collections.abc import Collection
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

from ticketly_common.auth import TokenVerifier
from ticketly_common.settings import Identity

ISSUER = "http://issuer.test/realms/event-ticketing"


class TokenIssuer:
    """Holds one RSA key; ``identity()`` and ``verifier()`` accept what ``token`` and ``service_token`` sign."""

    def __init__(self, issuer: str = ISSUER) -> None:
        self.issuer = issuer
        self._key = rsa.generate_private_key(public_exponent=65537, key_size=2048)

    def identity(self) -> Identity:
        """Return the settings that trust this issuer."""
        return Identity(issuer=self.issuer)

    def key_set(self) -> dict[str, Any]:
        """Return the JWK set that the issuer would publish."""
        return {"keys": [{**json.loads(RSAAlgorithm.to_jwk(self._key.public_key())), "kid": "test", "alg": "RS256"}]}

    def verifier(self) -> TokenVerifier:
        """Return a verifier that already holds the keys (do not enter ``running()``: there is no server)."""
        verifier = TokenVerifier(self.identity())
        verifier.use_keys(self.key_set())
        return verifier

    def sign(self, claims: dict[str, Any], *, key_id: str = "test") -> str:
        """Sign arbitrary claims."""
        return jwt.encode(claims, self._key, algorithm="RS256", headers={"kid": key_id})

    def token(
        self,
        subject: str,
        *,
        groups: Collection[str] = ("/Permissions/Users",),
        roles: Collection[str] = (),
        client: str = "login-testing",
        audience: str = "ticketly-api",
        expires_in_seconds: float = 300,
        **claims: Any,
    ) -> str:
        """Return a user token; further claims override."""
        now = time.time()
        return self.sign(
            {
                "iss": self.issuer,
                "sub": subject,
                "azp": client,
                "aud": audience,
                "iat": int(now),
                "exp": int(now + expires_in_seconds),
                "realm_access": {"roles": list(roles)},
                "user_groups": list(groups),
                "scope": "profile email",
                **claims,
            }
        )

    def service_token(self, client: str = "events-service", **claims: Any) -> str:
        """Return a token of a service client."""
        return self.token(
            f"service-account-{client}",
            groups=(),
            client=client,
            audience="ticketly-internal",
            **{"scope": "internal-api", **claims},
        )
