"""PersonVLM describes people in crops: a true sentence, attributes with calibrated confidence, on a CPU."""
