"""The AWS side of Ticketly: read the configuration, build, name the outputs."""

from ticketly_infra import program

program.main()
