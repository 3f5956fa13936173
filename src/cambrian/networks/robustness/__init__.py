"""Images made harder for a trained network: corrupted as cameras and weather do, or against it."""
