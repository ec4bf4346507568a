"""A seeded world: processes, tabs and a log under every kind of fault, in virtual time.

One seed is one history. ``python -m tests.simulation --seeds 10000`` runs many of them; ``--seed N`` tells one.
"""
