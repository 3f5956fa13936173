"""Options that several commands read: what each means, and what is refused."""
