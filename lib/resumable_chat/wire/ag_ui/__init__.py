"""The AG-UI wire format: runs as events that its strict clients take, and whole chats as rows.

Clients of 0.0.59 and 1.0 were read and tried: one event of a shape that they do not know ends their run. So every event
is made here from fields that both know, and the order of events keeps the rules of both clients' verifiers.
"""
