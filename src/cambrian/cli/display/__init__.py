"""What the terminal shows: text, tables and live displays, for people and as JSON."""
