"""Doors to what people already run: MQTT brokers, Home Assistant, Frigate, supervision, annotation tools."""
