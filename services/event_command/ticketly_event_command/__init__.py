"""Write side: organizations, events, sessions, layouts."""
