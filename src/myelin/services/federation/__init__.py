"""Other homeservers: what they ask of this one, and what this one asks of them (spec: server-server API)."""
