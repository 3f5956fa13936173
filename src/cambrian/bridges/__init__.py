"""Parts of cambrian in the terms of other libraries."""
