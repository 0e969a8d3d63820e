"""Due work: schedules and subscriptions."""
