#!/bin/bash
# k3s worker of a Ticketly stack. Runs at every worker's first boot. Holds no secret: the join token is fetched.
set -euo pipefail
umask 077

REGION='@region@'
REGISTRY='@registry@'
VERSION='@k-version@'
RELEASE="https://github.com/k3s-io/k3s/releases/download/${VERSION/+/%2B}"

curl --fail --silent --show-error --location --retry 5 -o /var/tmp/k3s-arm64 "$RELEASE/k3s-arm64"
curl --fail --silent --show-error --location --retry 5 -o /var/tmp/k3s-sums "$RELEASE/sha256sum-arm64.txt"
(cd /var/tmp && grep ' k3s-arm64$' k3s-sums | sha256sum --check --strict -)
install -m 0755 /var/tmp/k3s-arm64 /usr/local/bin/k3s

mkdir -p /etc/rancher/k3s
aws secretsmanager get-secret-value --region "$REGION" --secret-id '@token-secret@' --query SecretString --output text |
    python3 -c 'import json, sys; print(json.load(sys.stdin)["token"])' > /etc/rancher/k3s/token

# A login of ECR lasts twelve hours: it is renewed before that and read when an image is pulled.
cat > /usr/local/bin/registry-login <<LOGIN
#!/bin/bash
set -euo pipefail
umask 077
password=\$(aws ecr get-login-password --region $REGION)
cat > /etc/rancher/k3s/registries.new <<YAML
configs:
  "$REGISTRY":
    auth:
      username: AWS
      password: "\$password"
YAML
if ! cmp --silent /etc/rancher/k3s/registries.new /etc/rancher/k3s/registries.yaml; then
    mv /etc/rancher/k3s/registries.new /etc/rancher/k3s/registries.yaml
    systemctl try-restart k3s-agent.service
fi
LOGIN
chmod 0700 /usr/local/bin/registry-login
/usr/local/bin/registry-login

cat > /etc/systemd/system/registry-login.service <<'UNIT'
[Unit]
Description=Login of the image registry
[Service]
Type=oneshot
ExecStart=/usr/local/bin/registry-login
UNIT
cat > /etc/systemd/system/registry-login.timer <<'UNIT'
[Unit]
Description=Login of the image registry, before it expires
[Timer]
OnUnitActiveSec=8h
OnBootSec=8h
[Install]
WantedBy=timers.target
UNIT

cat > /etc/rancher/k3s/config.yaml <<'CONFIG'
server: https://@server@:6443
token-file: /etc/rancher/k3s/token
CONFIG
cat > /etc/systemd/system/k3s-agent.service <<'UNIT'
[Unit]
Description=k3s worker
After=network-online.target
Wants=network-online.target
[Service]
Type=notify
ExecStart=/usr/local/bin/k3s agent
KillMode=process
Delegate=yes
LimitNOFILE=1048576
Restart=always
RestartSec=5s
[Install]
WantedBy=multi-user.target
UNIT
systemctl daemon-reload
systemctl enable --now k3s-agent.service registry-login.timer
