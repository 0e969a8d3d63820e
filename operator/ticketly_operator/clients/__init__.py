"""The only I/O of the operator: Kubernetes, Connect, Kafka, PostgreSQL, the services' metrics, and fakes."""
