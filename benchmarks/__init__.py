"""What a request costs: the same view written for each view layer, driven in-process at the ASGI boundary."""
