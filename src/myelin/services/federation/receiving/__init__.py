"""Events from other servers into rooms, and out of rooms to other servers that may read them."""
