"""What a space knows of itself whose every walk asks one `pick.depth`: growth, tokens, moves."""
