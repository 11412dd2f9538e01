"""Where other servers are, requests to them and from them, and the keys that prove who sent what."""
