"""`listener demo`: three days of a fictional brand, through the whole flow, on this machine."""
