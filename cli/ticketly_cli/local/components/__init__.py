"""One module per kind of component; each turns addresses and folders into a `Component`."""
