"""Chat streams that survive everything, stored in a durable log and played back to TanStack AI."""
