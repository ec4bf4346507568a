"""Real servers under fire: kills, freezes and a log that goes away, judged from outside (`make storm MINUTES=8`)."""
