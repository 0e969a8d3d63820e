#!/bin/bash
# k3s server of a Ticketly stack. Runs once, at the machine's first boot. Holds no secret: the join token is fetched.
set -euo pipefail
umask 077

REGION='@region@'
VERSION='@k-version@'
RELEASE="https://github.com/k3s-io/k3s/releases/download/${VERSION/+/%2B}"

curl --fail --silent --show-error --location --retry 5 -o /var/tmp/k3s-arm64 "$RELEASE/k3s-arm64"
curl --fail --silent --show-error --location --retry 5 -o /var/tmp/k3s-sums "$RELEASE/sha256sum-arm64.txt"
(cd /var/tmp && grep ' k3s-arm64$' k3s-sums | sha256sum --check --strict -)
install -m 0755 /var/tmp/k3s-arm64 /usr/local/bin/k3s
ln -sf k3s /usr/local/bin/kubectl

mkdir -p /etc/rancher/k3s /var/lib/rancher/k3s/server/manifests
aws secretsmanager get-secret-value --region "$REGION" --secret-id '@token-secret@' --query SecretString --output text |
    python3 -c 'import json, sys; print(json.load(sys.stdin)["token"])' > /etc/rancher/k3s/token

cat > /etc/rancher/k3s/config.yaml <<'CONFIG'
token-file: /etc/rancher/k3s/token
secrets-encryption: true
write-kubeconfig-mode: "0600"
node-taint:
  - node-role.kubernetes.io/control-plane=true:NoSchedule
kube-apiserver-arg:
  - audit-log-path=/var/log/k3s-audit.log
  - audit-log-maxage=14
  - audit-log-maxsize=100
  - audit-log-maxbackup=5
protect-kernel-defaults: false
CONFIG

# Traefik on a fixed port of every node, where the load balancer looks for it; client addresses come from the balancer.
cat > /var/lib/rancher/k3s/server/manifests/traefik-config.yaml <<'MANIFEST'
apiVersion: helm.cattle.io/v1
kind: HelmChartConfig
metadata:
  name: traefik
  namespace: kube-system
spec:
  valuesContent: |-
    service:
      type: NodePort
    ports:
      web:
        nodePort: @ingress-port@
        forwardedHeaders:
          trustedIPs: ["@network@"]
      websecure:
        expose:
          default: false
MANIFEST

cat > /etc/systemd/system/k3s.service <<'UNIT'
[Unit]
Description=k3s server
After=network-online.target
Wants=network-online.target
[Service]
Type=notify
ExecStart=/usr/local/bin/k3s server
KillMode=process
Delegate=yes
LimitNOFILE=1048576
Restart=always
RestartSec=5s
[Install]
WantedBy=multi-user.target
UNIT
systemctl daemon-reload
systemctl enable --now k3s.service
