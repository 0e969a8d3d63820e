#!/bin/bash
# Data node of a Ticketly stack: Kafka, Kafka Connect, MongoDB, Redis in containers. Runs once, at the first boot; the
# units it writes do the rest at every boot. Holds no secret: logins are fetched at each start and kept in memory.
set -euo pipefail
umask 077

dnf install --assumeyes --quiet docker
systemctl enable --now docker.service

# The data disk: found by what it is, formatted only when it is empty.
for _ in $(seq 60); do
    [ -e /dev/sdf ] && break
    sleep 5
done
DISK=$(readlink -f /dev/sdf)
blkid "$DISK" >/dev/null || mkfs.xfs -L ticketly "$DISK"
mkdir -p /data
grep -q LABEL=ticketly /etc/fstab || echo 'LABEL=ticketly /data xfs defaults,nofail 0 2' >> /etc/fstab
mountpoint -q /data || mount /data
mkdir -p /data/kafka /data/mongo /data/redis
chown 1000:1000 /data/kafka
chown 999:999 /data/mongo /data/redis

cat > /usr/local/bin/fetch-logins <<'FETCH'
#!/bin/bash
# Logins from Secrets Manager into memory, one file for each reader.
set -euo pipefail
umask 077
get() { aws secretsmanager get-secret-value --region '@region@' --secret-id "$1" --query SecretString --output text; }
field() { python3 -c 'import json, sys; print(json.load(sys.stdin)[sys.argv[1]], end="")' "$1"; }
logins=$(get '@logins@')
capture=$(get '@postgres@')
address=$(hostname -I | cut -d' ' -f1)
kafka=$(printf '%s' "$logins" | field kafka-password)

mkdir -p /run/ticketly/kafka /run/ticketly/mongo /run/ticketly/redis /run/ticketly/connect/@postgres-name@
printf '%s' "$logins" | field mongo-password > /run/ticketly/mongo/password
printf '%s' "$capture" | field cdc-password > /run/ticketly/connect/@postgres-name@/cdc-password
printf 'bind 0.0.0.0\nport @redis-port@\nappendonly yes\ndir /data\nmaxmemory 512mb\nmaxmemory-policy allkeys-lru\nrequirepass %s\n' \
    "$(printf '%s' "$logins" | field redis-password)" > /run/ticketly/redis/redis.conf

cat > /run/ticketly/kafka/server.properties <<PROPERTIES
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:9093
listeners=CLIENT://0.0.0.0:@kafka-port@,INSIDE://127.0.0.1:9094,CONTROLLER://127.0.0.1:9093
advertised.listeners=CLIENT://$address:@kafka-port@,INSIDE://127.0.0.1:9094
listener.security.protocol.map=CLIENT:SASL_PLAINTEXT,INSIDE:PLAINTEXT,CONTROLLER:PLAINTEXT
inter.broker.listener.name=INSIDE
controller.listener.names=CONTROLLER
sasl.enabled.mechanisms=SCRAM-SHA-512
listener.name.client.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
log.dirs=/data/logs
auto.create.topics.enable=false
offsets.topic.replication.factor=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
group.min.session.timeout.ms=1000
PROPERTIES
printf '%s' "$kafka" > /run/ticketly/kafka/password

cat > /run/ticketly/connect/worker.env <<ENVIRONMENT
BOOTSTRAP_SERVERS=127.0.0.1:9094
GROUP_ID=ticketly-connect
CONFIG_STORAGE_TOPIC=ticketly-connect-config
OFFSET_STORAGE_TOPIC=ticketly-connect-offsets
STATUS_STORAGE_TOPIC=ticketly-connect-status
CONNECT_CONFIG_STORAGE_REPLICATION_FACTOR=1
CONNECT_OFFSET_STORAGE_REPLICATION_FACTOR=1
CONNECT_STATUS_STORAGE_REPLICATION_FACTOR=1
CONNECT_CONFIG_PROVIDERS=directory
CONNECT_CONFIG_PROVIDERS_DIRECTORY_CLASS=org.apache.kafka.common.config.provider.DirectoryConfigProvider
CONNECT_CONNECTOR_CLIENT_CONFIG_OVERRIDE_POLICY=All
CONNECT_SESSION_TIMEOUT_MS=3000
CONNECT_HEARTBEAT_INTERVAL_MS=1000
KEY_CONVERTER=org.apache.kafka.connect.json.JsonConverter
VALUE_CONVERTER=org.apache.kafka.connect.json.JsonConverter
HEAP_OPTS=-Xms256m -Xmx768m
ENVIRONMENT
chown -R 1000:1000 /run/ticketly/kafka
chown -R 999:999 /run/ticketly/mongo /run/ticketly/redis
chown -R 1001:1001 /run/ticketly/connect
FETCH
chmod 0700 /usr/local/bin/fetch-logins

cat > /usr/local/bin/report-disk <<'REPORT'
#!/bin/bash
# How full the data disk is, in percent.
set -euo pipefail
used=$(df --output=pcent /data | tail -1 | tr -dc 0-9)
aws cloudwatch put-metric-data --region '@region@' --namespace '@namespace@' \
    --metric-name DiskUsedPercent --unit Percent --value "$used" --dimensions Stack='@stack@'
REPORT
chmod 0700 /usr/local/bin/report-disk

unit() { cat > "/etc/systemd/system/$1"; }

unit ticketly-logins.service <<'UNIT'
[Unit]
Description=Logins of the data node
After=network-online.target
Wants=network-online.target
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/local/bin/fetch-logins
[Install]
WantedBy=multi-user.target
UNIT

# service NAME IMAGE ARGUMENTS...: a container that is started again whenever it ends
service() {
    local name=$1 image=$2
    shift 2
    unit "ticketly-$name.service" <<UNIT
[Unit]
Description=$name
Requires=docker.service ticketly-logins.service
After=docker.service ticketly-logins.service
RequiresMountsFor=/data
[Service]
ExecStartPre=-/usr/bin/docker rm --force $name
ExecStart=/usr/bin/docker run --rm --name $name --network host --log-driver journald $*
ExecStop=/usr/bin/docker stop --time 60 $name
Restart=always
RestartSec=5s
[Install]
WantedBy=multi-user.target
UNIT
    docker pull --quiet "$image"
}

KAFKA=docker.io/apache/kafka:4.1.1
CONNECT=quay.io/debezium/connect:3.7.0.Final
MONGO=public.ecr.aws/docker/library/mongo:8.0
REDIS=public.ecr.aws/docker/library/redis:7.4

# A new disk is formatted with the one user of the brokers; an old one is left alone.
cat > /usr/local/bin/start-kafka <<'START'
#!/bin/bash
set -euo pipefail
bin=/opt/kafka/bin
config=/run/ticketly/kafka/server.properties
if [ ! -e /data/logs/meta.properties ]; then
    "$bin/kafka-storage.sh" format --cluster-id "$("$bin/kafka-storage.sh" random-uuid)" --config "$config" \
        --add-scram "SCRAM-SHA-512=[name=@user@,password=$(cat /run/ticketly/kafka/password)]"
fi
exec "$bin/kafka-server-start.sh" "$config"
START
chmod 0755 /usr/local/bin/start-kafka

service kafka "$KAFKA" --env KAFKA_HEAP_OPTS=-Xmx1g --volume /data/kafka:/data --volume /run/ticketly/kafka:/run/ticketly/kafka:ro \
    --volume /usr/local/bin/start-kafka:/start-kafka:ro --entrypoint /start-kafka "$KAFKA"
# The database's driver checks its certificate against RDS's, which it looks for in the user's home.
mkdir -p /etc/ticketly/rds/.postgresql
curl --fail --silent --show-error --retry 5 -o /etc/ticketly/rds/.postgresql/root.crt \
    https://truststore.pki.rds.amazonaws.com/global/global-bundle.pem
chmod -R a+rX /etc/ticketly
service connect "$CONNECT" --env-file /run/ticketly/connect/worker.env --env KAFKA_OPTS=-Duser.home=/opt/rds \
    --volume /etc/ticketly/rds:/opt/rds:ro \
    --volume /run/ticketly/connect:/opt/kafka/external-configuration:ro "$CONNECT"
service mongo "$MONGO" --env MONGO_INITDB_ROOT_USERNAME=@user@ --env MONGO_INITDB_ROOT_PASSWORD_FILE=/run/ticketly/password \
    --volume /run/ticketly/mongo:/run/ticketly:ro --volume /data/mongo:/data/db "$MONGO" --bind_ip_all --port @mongo-port@ --wiredTigerCacheSizeGB 0.5
service redis "$REDIS" --volume /run/ticketly/redis:/run/ticketly:ro --volume /data/redis:/data "$REDIS" redis-server /run/ticketly/redis.conf

unit ticketly-disk.service <<'UNIT'
[Unit]
Description=How full the data disk is
[Service]
Type=oneshot
ExecStart=/usr/local/bin/report-disk
UNIT
unit ticketly-disk.timer <<'UNIT'
[Unit]
Description=How full the data disk is, every minute
[Timer]
OnBootSec=1min
OnUnitActiveSec=1min
[Install]
WantedBy=timers.target
UNIT

systemctl daemon-reload
systemctl enable --now ticketly-logins.service
systemctl enable --now ticketly-kafka.service ticketly-mongo.service ticketly-redis.service
systemctl enable --now ticketly-connect.service ticketly-disk.timer
