"""The AWS side from the command line: drives the Pulumi program in `pulumi/` through Pulumi's automation API.

`changes`, `pending`, `locks`, `policies`, `redaction` and `platform_file` are pure. Only `engine` and `interruptible`
import Pulumi, and they are imported when an operation runs: the package comes with the infrastructure member alone.
"""
