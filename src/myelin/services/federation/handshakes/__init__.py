"""How users come into rooms of other servers and leave them, both ways: join, leave, invite, knock."""
