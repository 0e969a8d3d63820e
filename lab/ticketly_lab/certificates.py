"""Keys and certificates of one throw-away control plane, valid for a month, for loopback only."""

from __future__ import annotations

import datetime
import ipaddress
import os
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

VALID_DAYS = 30
_CLOCK_SKEW = datetime.timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Pair:
    """A certificate and its private key, as PEM files."""

    certificate: Path
    key: Path


@dataclass(frozen=True, slots=True)
class Certificates:
    """What the servers are told about. Two authorities: one must never vouch for the other's purpose."""

    authority: Path
    """Signs the servers' certificates and those of clients."""
    serving: Pair
    """Of every HTTPS server in the control plane."""
    kubelet_client: Pair
    front_proxy_authority: Path
    """Whoever it signs may name any user: only the API server itself, towards aggregated APIs."""
    front_proxy_client: Pair
    service_accounts: Path
    """Private key that signs the tokens of service accounts."""


def issue(folder: Path, now: datetime.datetime) -> Certificates:
    """Make everything in `folder`, which only the owner may read. `now` is aware of its time zone."""
    folder.mkdir(parents=True, mode=0o700)
    authority = _Issuer("ticketly-lab", now)
    front_proxy = _Issuer("ticketly-lab-front-proxy", now)
    signing_key = folder / "service-accounts.key"
    _write_key(signing_key, ec.generate_private_key(ec.SECP256R1()))
    return Certificates(
        authority=authority.write(folder / "authority.crt"),
        serving=authority.sign(folder, "serving", "127.0.0.1", server=True),
        kubelet_client=authority.sign(folder, "kubelet-client", "kube-apiserver-kubelet-client", "system:masters"),
        front_proxy_authority=front_proxy.write(folder / "front-proxy-authority.crt"),
        front_proxy_client=front_proxy.sign(folder, "front-proxy-client", "front-proxy-client"),
        service_accounts=signing_key,
    )


class _Issuer:
    """A certificate authority that lives as long as this object: its key is never written."""

    def __init__(self, name: str, now: datetime.datetime) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _subject(name)
        self._begin = now - _CLOCK_SKEW
        self._end = now + datetime.timedelta(days=VALID_DAYS)
        self._certificate = (
            self._builder(self._name, self._key.public_key())
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_key_usage(authority=True), critical=True)
            .sign(self._key, hashes.SHA256())
        )

    def write(self, path: Path) -> Path:
        path.write_bytes(self._certificate.public_bytes(serialization.Encoding.PEM))
        return path

    def sign(self, folder: Path, file: str, name: str, group: str = "", *, server: bool = False) -> Pair:
        """A server's certificate names the loopback address; a client's subject is its user, and perhaps a group."""
        key = ec.generate_private_key(ec.SECP256R1())
        usage = ExtendedKeyUsageOID.SERVER_AUTH if server else ExtendedKeyUsageOID.CLIENT_AUTH
        builder = (
            self._builder(_subject(name, group), key.public_key())
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_key_usage(authority=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
            # Python 3.13 and later refuse chains without it
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False)
        )
        if server:
            names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        pair = Pair(folder / f"{file}.crt", folder / f"{file}.key")
        pair.certificate.write_bytes(builder.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
        _write_key(pair.key, key)
        return pair

    def _builder(self, subject: x509.Name, public_key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(public_key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(self._begin)
            .not_valid_after(self._end)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
        )


def _subject(name: str, group: str = "") -> x509.Name:
    parts = [x509.NameAttribute(NameOID.COMMON_NAME, name)]
    if group:
        parts.insert(0, x509.NameAttribute(NameOID.ORGANIZATION_NAME, group))
    return x509.Name(parts)


def _key_usage(*, authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not authority,
        key_cert_sign=authority,
        crl_sign=authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _write_key(path: Path, key: ec.EllipticCurvePrivateKey) -> None:
    content = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
