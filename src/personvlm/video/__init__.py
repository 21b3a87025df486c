"""From cameras to tracks of people: sources, detectors, trackers, crop choice, triggers, fusion over a track.

Needs the extra ``video`` (``pip install 'personvlm[video]'``).
"""
