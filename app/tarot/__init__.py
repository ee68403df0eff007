"""A small tarot backend: 78 cards, readings that are stored once, an admin page."""
