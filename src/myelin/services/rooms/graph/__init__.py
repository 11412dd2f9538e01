"""Events of other servers in rooms: state at any point of the graph, and the one writer of events that are not ours.

Nothing here speaks to the network.
"""
