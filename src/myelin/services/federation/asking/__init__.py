"""What this server asks of others for its users, and what others may ask of it."""
