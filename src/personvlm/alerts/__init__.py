"""Rules over described people, and the delivery of what they find."""
