"""What every Ticketly service shares: settings, pools, Kafka loops, problems, tokens."""
