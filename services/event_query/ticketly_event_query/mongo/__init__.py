"""The only modules that speak to MongoDB (motor); everything else knows the ports."""
