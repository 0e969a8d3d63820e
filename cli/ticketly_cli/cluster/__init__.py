"""The cluster side of the command: what is installed, planned, applied and shown through an API server.

Pure modules decide and describe (`rendering`, `comparing`, `definitions`, `redaction`, `slots`); `connection` and the
modules named after a command talk to the cluster. Nothing here imports the operator beyond `desired` and `plan`.
"""
