"""What must exist inside the stores before a service can use them: roles, databases, topics."""
