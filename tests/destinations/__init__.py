"""Local servers that behave as the documented APIs do, and reject what they would reject."""
