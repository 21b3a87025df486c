"""The tables of a store, on SQLite and PostgreSQL alike. They are made by migrations; a test holds the two together.

Times are seconds since the epoch. Rows of one person are tied together by ``tracks.id``, which is internal; what other
programs know a person by is ``tracks.person`` (:attr:`personvlm.schema.events.DescribeRequest.person`).
The full text index is not here: it is FTS5 in SQLite and a ``tsvector`` in PostgreSQL (:mod:`personvlm.store.texts`).
"""

from __future__ import annotations

import sqlalchemy as sa

metadata = sa.MetaData()

_Key = sa.BigInteger().with_variant(sa.Integer, "sqlite")
_Time = sa.Float(53)


def _text(name: str, *, null: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text, nullable=null)


def _time(name: str, *, null: bool = False) -> sa.Column[float]:
    return sa.Column(name, _Time, nullable=null)


def _flag(name: str, default: bool | None = None) -> sa.Column[bool]:
    usual = None if default is None else sa.true() if default else sa.false()
    return sa.Column(name, sa.Boolean, nullable=False, server_default=usual)


# ---- what was seen and said

cameras = sa.Table(
    "cameras", metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("name", sa.Text, nullable=False, unique=True),
    sa.Column("keep_days", _Time, doc="people are erased after so many days; null keeps them"),
    sa.Column("crop_days", _Time, doc="their pictures go after so many days; null keeps them as long as the people"),
    _flag("keep_crops", True),
)  # fmt: skip

tracks = sa.Table(
    "tracks", metadata,
    sa.Column("id", _Key, primary_key=True),
    sa.Column("person", sa.Text, nullable=False, unique=True),
    sa.Column("camera", sa.Integer, sa.ForeignKey("cameras.id"), nullable=False),
    sa.Column("track_id", sa.BigInteger, nullable=False),
    _time("first_seen"),
    _time("last_seen"),
    _flag("final"),
    sa.Column("revision", sa.Integer, nullable=False, doc="of the description that holds"),
    sa.Column("description", sa.BigInteger, nullable=False, doc="descriptions.id of what holds"),
    sa.Index("tracks_camera_seen", "camera", "last_seen"),
    sa.Index("tracks_seen", "last_seen"),
)  # fmt: skip
"""One row per person and camera: the latest revision, and when the person was there."""

descriptions = sa.Table(
    "descriptions", metadata,
    sa.Column("id", _Key, primary_key=True),
    _text("event_id"),
    _text("model"),
    sa.Column("track", sa.BigInteger, nullable=False, doc="tracks.id"),
    sa.Column("revision", sa.Integer, nullable=False),
    _text("trigger"),
    _time("frame_time"),
    _time("described_at"),
    _flag("final"),
    _text("text"),
    sa.Column("attributes", sa.Text, nullable=False, doc="JSON: group -> [value or values, confidence, source]"),
    sa.Column("scores", sa.LargeBinary, doc="uint16 by terms.id; see personvlm.store.codes"),
    sa.Column("quality", _Time, nullable=False),
    sa.Column("crops", sa.Text, nullable=False, doc="JSON: [reference, box, time, score] of each, the best first"),
    sa.Column("corrects", sa.BigInteger, doc="descriptions.id of what a model said and people put right here"),
    sa.UniqueConstraint("event_id", "model", name="descriptions_event_model"),
    sa.Index("descriptions_track", "track", "revision"),
    sa.Index("descriptions_time", "frame_time"),
)  # fmt: skip
"""Everything that was ever said: one row per event and model, however often it was delivered; and each time that
somebody put something right, what holds since then."""

corrections = sa.Table(
    "corrections", metadata,
    sa.Column("id", _Key, primary_key=True),
    sa.Column("track", sa.BigInteger, nullable=False, doc="tracks.id"),
    _text("group_name"),
    sa.Column("value", sa.Text, nullable=False, doc="JSON: a value, a list of a set's values, or unknown"),
    _time("made_at"),
    _text("made_by"),
    sa.Column("event_id", sa.Text, nullable=False, doc="of what held then, as the model said it"),
    _text("model"),
    sa.Column("said", sa.Text, nullable=False, doc="JSON: [value or values, confidence, source], or null: nothing"),
    _time("undone_at", null=True),
    _text("undone_by", null=True),
    sa.Index("corrections_track", "track"),
)  # fmt: skip
"""What people put right. Of each person and group the latest that was not undone holds."""

terms = sa.Table(
    "terms", metadata,
    sa.Column("id", sa.SmallInteger, primary_key=True, autoincrement=False),
    sa.Column("group_name", sa.Text, nullable=False),
    sa.Column("value", sa.Text, nullable=False),
    sa.UniqueConstraint("group_name", "value", name="terms_name"),
)  # fmt: skip
"""Every (group, value) of the vocabulary."""

attributes = sa.Table(
    "attributes", metadata,
    sa.Column("term", sa.SmallInteger, primary_key=True, autoincrement=False, doc="terms.id"),
    sa.Column("track", sa.BigInteger, primary_key=True, autoincrement=False, doc="tracks.id"),
    sa.Column("confidence", sa.REAL, nullable=False),
    sqlite_with_rowid=False,
)  # fmt: skip
"""What is asserted of a person, by the description that holds."""

embeddings = sa.Table(
    "embeddings", metadata,
    sa.Column("track", sa.BigInteger, primary_key=True, autoincrement=False, doc="tracks.id"),
    _text("model"),
    sa.Column("vector", sa.LargeBinary, nullable=False, doc="float16, L2-normalised"),
)  # fmt: skip
"""Appearance of a person, by the description that holds."""

links = sa.Table(
    "links", metadata,
    sa.Column("id", _Key, primary_key=True),
    _text("one"),
    _text("other"),
    sa.Column("probability", _Time, nullable=False),
    _time("made_at"),
    _text("made_by"),
    _time("undone_at", null=True),
    _text("undone_by", null=True),
    sa.Index("links_one", "one"),
    sa.Index("links_other", "other"),
)  # fmt: skip
"""Two people are the same, with this probability. An identity is whatever links that were not undone connect."""

erased = sa.Table(
    "erased", metadata,
    sa.Column("person", sa.Text, primary_key=True),
    _time("at"),
)  # fmt: skip
"""Who is not stored again, however late an answer comes."""

audit = sa.Table(
    "audit", metadata,
    sa.Column("id", _Key, primary_key=True),
    _time("at"),
    _text("actor"),
    _text("action"),
    _text("subject"),
    _text("detail"),
    _text("previous"),
    sa.Column("hash", sa.Text, nullable=False, unique=True),
)  # fmt: skip
"""Who did what. Each row holds the hash of the one before it, so that none can be changed or taken out unnoticed."""

# ---- search: everything here can be made again from the tables above

search_recent = sa.Table(
    "search_recent", metadata,
    sa.Column("track", sa.BigInteger, primary_key=True, autoincrement=False, doc="tracks.id"),
    sa.Column("stamp", _Time, nullable=False),
)  # fmt: skip
"""People whose latest description is not in a segment yet."""

search_segments = sa.Table(
    "search_segments", metadata,
    sa.Column("segment", sa.Integer, primary_key=True, autoincrement=False, doc="tracks.id >> 14"),
    sa.Column("version", sa.BigInteger, nullable=False),
    sa.Column("people", sa.Integer, nullable=False),
    _time("first_seen"),
    _time("last_seen"),
)  # fmt: skip

search_columns = sa.Table(
    "search_columns", metadata,
    sa.Column("segment", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("name", sa.SmallInteger, primary_key=True, autoincrement=False, doc="see personvlm.store.segments"),
    sa.Column("data", sa.LargeBinary, nullable=False),
)  # fmt: skip

# ---- the queue (room events)

queue_events = sa.Table(
    "queue_events", metadata,
    sa.Column("id", _Key, primary_key=True),
    sa.Column("event_id", sa.Text, nullable=False, unique=True),
    _text("person"),
    _text("camera"),
    sa.Column("lane", sa.SmallInteger, nullable=False),
    sa.Column("revision", sa.Integer, nullable=False),
    _flag("final"),
    _flag("dead", False),
    _time("due"),
    _time("put_at"),
    sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
    _text("token", null=True),
    _text("reason", null=True),
    _time("died_at", null=True),
    sa.Column("message", sa.LargeBinary, nullable=False),
    sa.Index("queue_events_next", "dead", "lane", "due", "id"),
    sa.Index("queue_events_person", "person"),
)  # fmt: skip

queue_counts = sa.Table(
    "queue_counts", metadata,
    sa.Column("shard", sa.Integer, primary_key=True, autoincrement=False),
    *(sa.Column(name, sa.BigInteger, nullable=False, server_default="0")
      for name in ("depth", "accepted", "acked", "died", "replayed", "superseded", "shed", "erased")),
)  # fmt: skip

# ---- alerts (room alerts)

alert_channels = sa.Table(
    "alert_channels", metadata,
    sa.Column("name", sa.Text, primary_key=True),
    _text("url"),
    _text("secret", null=True),
    _flag("private"),
    _time("created_at"),
)  # fmt: skip

alert_rules = sa.Table(
    "alert_rules", metadata,
    sa.Column("name", sa.Text, primary_key=True),
    _text("rule"),
    _text("words", null=True),
    _text("channels"),
    _flag("enabled"),
    _time("created_at"),
)  # fmt: skip

alert_states = sa.Table(
    "alert_states", metadata,
    sa.Column("rule", sa.Text, primary_key=True),
    sa.Column("person", sa.Text, primary_key=True),
    sa.Column("revision", sa.Integer, nullable=False),
    _text("camera"),
    _time("matched_at", null=True),
    _text("evidence"),
    _text("alert", null=True),
    sa.Index("alert_states_rule", "rule", "matched_at"),
    sa.Index("alert_states_person", "person"),
)  # fmt: skip

alerts = sa.Table(
    "alerts", metadata,
    sa.Column("id", sa.Text, primary_key=True),
    _text("rule"),
    _text("person"),
    _text("camera"),
    _text("state"),
    _flag("holds"),
    _flag("ended"),
    _text("event_id"),
    sa.Column("revision", sa.Integer, nullable=False),
    sa.Column("probability", _Time, nullable=False),
    _text("text"),
    _text("crop", null=True),
    _text("why"),
    _time("raised_at"),
    _time("seen_at"),
    _time("acknowledged_at", null=True),
    _text("acknowledged_by", null=True),
    _time("closed_at", null=True),
    sa.Index("alerts_rule", "rule", "raised_at"),
    sa.Index("alerts_state", "state"),
    sa.Index("alerts_person", "person"),
)  # fmt: skip

alert_people = sa.Table(
    "alert_people", metadata,
    sa.Column("alert", sa.Text, primary_key=True),
    sa.Column("person", sa.Text, primary_key=True),
    sa.Index("alert_people_person", "person"),
)  # fmt: skip

deliveries = sa.Table(
    "deliveries", metadata,
    sa.Column("id", sa.Text, primary_key=True),
    _text("alert"),
    _text("channel"),
    sa.Column("number", sa.Integer, nullable=False),
    _text("kind"),
    _text("payload"),
    _time("created_at"),
    sa.Column("attempts", sa.Integer, nullable=False),
    _time("next_at"),
    _time("delivered_at", null=True),
    _time("dead_at", null=True),
    _text("error", null=True),
    sa.Index("deliveries_next", "next_at"),
    sa.Index("deliveries_alert", "alert"),
)  # fmt: skip

# ---- access (room server)

tokens = sa.Table(
    "tokens", metadata,
    sa.Column("id", sa.Text, primary_key=True),
    _text("name"),
    _text("scopes"),
    _text("digest"),
    _time("created"),
    _time("expires", null=True),
    _time("revoked", null=True),
)  # fmt: skip
