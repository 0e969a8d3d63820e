"""What an administrator installs, written from one source: the plain YAML, the Helm chart, the table of permissions.

`python -m ticketly_lab.packaging` writes them; `--check` only says which of them are not as they would be written.
The source is `ticketly_operator.desired.installation`, which `ticketly install` applies as well. Only `__main__` reads
and writes files.
"""
