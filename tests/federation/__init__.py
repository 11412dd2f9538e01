"""Servers that speak with each other over loopback: Myelin with Myelin, with a real Synapse, with a scripted one."""
