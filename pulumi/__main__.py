"""Pulumi entry point; the components come with the AWS side."""
