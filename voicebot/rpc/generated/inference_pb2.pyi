from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ToInference(_message.Message):
    __slots__ = ("open", "speech", "decide", "commit", "close", "overheard", "deliver", "agent_speech", "agent_said")
    OPEN_FIELD_NUMBER: _ClassVar[int]
    SPEECH_FIELD_NUMBER: _ClassVar[int]
    DECIDE_FIELD_NUMBER: _ClassVar[int]
    COMMIT_FIELD_NUMBER: _ClassVar[int]
    CLOSE_FIELD_NUMBER: _ClassVar[int]
    OVERHEARD_FIELD_NUMBER: _ClassVar[int]
    DELIVER_FIELD_NUMBER: _ClassVar[int]
    AGENT_SPEECH_FIELD_NUMBER: _ClassVar[int]
    AGENT_SAID_FIELD_NUMBER: _ClassVar[int]
    open: Open
    speech: Speech
    decide: Decide
    commit: Commit
    close: Close
    overheard: Overheard
    deliver: Deliver
    agent_speech: AgentSpeech
    agent_said: AgentSaid
    def __init__(self, open: _Optional[_Union[Open, _Mapping]] = ..., speech: _Optional[_Union[Speech, _Mapping]] = ..., decide: _Optional[_Union[Decide, _Mapping]] = ..., commit: _Optional[_Union[Commit, _Mapping]] = ..., close: _Optional[_Union[Close, _Mapping]] = ..., overheard: _Optional[_Union[Overheard, _Mapping]] = ..., deliver: _Optional[_Union[Deliver, _Mapping]] = ..., agent_speech: _Optional[_Union[AgentSpeech, _Mapping]] = ..., agent_said: _Optional[_Union[AgentSaid, _Mapping]] = ...) -> None: ...

class Open(_message.Message):
    __slots__ = ("request_json", "snapshot")
    REQUEST_JSON_FIELD_NUMBER: _ClassVar[int]
    SNAPSHOT_FIELD_NUMBER: _ClassVar[int]
    request_json: bytes
    snapshot: bytes
    def __init__(self, request_json: _Optional[bytes] = ..., snapshot: _Optional[bytes] = ...) -> None: ...

class Speech(_message.Message):
    __slots__ = ("generation", "pcm")
    GENERATION_FIELD_NUMBER: _ClassVar[int]
    PCM_FIELD_NUMBER: _ClassVar[int]
    generation: int
    pcm: bytes
    def __init__(self, generation: _Optional[int] = ..., pcm: _Optional[bytes] = ...) -> None: ...

class Overheard(_message.Message):
    __slots__ = ("pcm", "answered")
    PCM_FIELD_NUMBER: _ClassVar[int]
    ANSWERED_FIELD_NUMBER: _ClassVar[int]
    pcm: bytes
    answered: bool
    def __init__(self, pcm: _Optional[bytes] = ..., answered: _Optional[bool] = ...) -> None: ...

class Decide(_message.Message):
    __slots__ = ("generation", "utterance_json")
    GENERATION_FIELD_NUMBER: _ClassVar[int]
    UTTERANCE_JSON_FIELD_NUMBER: _ClassVar[int]
    generation: int
    utterance_json: bytes
    def __init__(self, generation: _Optional[int] = ..., utterance_json: _Optional[bytes] = ...) -> None: ...

class Commit(_message.Message):
    __slots__ = ("generation",)
    GENERATION_FIELD_NUMBER: _ClassVar[int]
    generation: int
    def __init__(self, generation: _Optional[int] = ...) -> None: ...

class Close(_message.Message):
    __slots__ = ("cause",)
    CAUSE_FIELD_NUMBER: _ClassVar[int]
    cause: str
    def __init__(self, cause: _Optional[str] = ...) -> None: ...

class Deliver(_message.Message):
    __slots__ = ("delivery",)
    DELIVERY_FIELD_NUMBER: _ClassVar[int]
    delivery: str
    def __init__(self, delivery: _Optional[str] = ...) -> None: ...

class AgentSpeech(_message.Message):
    __slots__ = ("pcm",)
    PCM_FIELD_NUMBER: _ClassVar[int]
    pcm: bytes
    def __init__(self, pcm: _Optional[bytes] = ...) -> None: ...

class AgentSaid(_message.Message):
    __slots__ = ("generation", "start_s", "end_s")
    GENERATION_FIELD_NUMBER: _ClassVar[int]
    START_S_FIELD_NUMBER: _ClassVar[int]
    END_S_FIELD_NUMBER: _ClassVar[int]
    generation: int
    start_s: float
    end_s: float
    def __init__(self, generation: _Optional[int] = ..., start_s: _Optional[float] = ..., end_s: _Optional[float] = ...) -> None: ...

class FromInference(_message.Message):
    __slots__ = ("opened", "decided", "closed", "failed", "progress", "found", "followed")
    OPENED_FIELD_NUMBER: _ClassVar[int]
    DECIDED_FIELD_NUMBER: _ClassVar[int]
    CLOSED_FIELD_NUMBER: _ClassVar[int]
    FAILED_FIELD_NUMBER: _ClassVar[int]
    PROGRESS_FIELD_NUMBER: _ClassVar[int]
    FOUND_FIELD_NUMBER: _ClassVar[int]
    FOLLOWED_FIELD_NUMBER: _ClassVar[int]
    opened: Opened
    decided: Decided
    closed: Closed
    failed: Failed
    progress: Progress
    found: Found
    followed: Followed
    def __init__(self, opened: _Optional[_Union[Opened, _Mapping]] = ..., decided: _Optional[_Union[Decided, _Mapping]] = ..., closed: _Optional[_Union[Closed, _Mapping]] = ..., failed: _Optional[_Union[Failed, _Mapping]] = ..., progress: _Optional[_Union[Progress, _Mapping]] = ..., found: _Optional[_Union[Found, _Mapping]] = ..., followed: _Optional[_Union[Followed, _Mapping]] = ...) -> None: ...

class Progress(_message.Message):
    __slots__ = ("generation", "endpoint_score", "partial_text", "backchannel", "at_ms", "words_known")
    GENERATION_FIELD_NUMBER: _ClassVar[int]
    ENDPOINT_SCORE_FIELD_NUMBER: _ClassVar[int]
    PARTIAL_TEXT_FIELD_NUMBER: _ClassVar[int]
    BACKCHANNEL_FIELD_NUMBER: _ClassVar[int]
    AT_MS_FIELD_NUMBER: _ClassVar[int]
    WORDS_KNOWN_FIELD_NUMBER: _ClassVar[int]
    generation: int
    endpoint_score: float
    partial_text: str
    backchannel: bool
    at_ms: int
    words_known: bool
    def __init__(self, generation: _Optional[int] = ..., endpoint_score: _Optional[float] = ..., partial_text: _Optional[str] = ..., backchannel: _Optional[bool] = ..., at_ms: _Optional[int] = ..., words_known: _Optional[bool] = ...) -> None: ...

class Found(_message.Message):
    __slots__ = ("finding_json",)
    FINDING_JSON_FIELD_NUMBER: _ClassVar[int]
    finding_json: bytes
    def __init__(self, finding_json: _Optional[bytes] = ...) -> None: ...

class Opened(_message.Message):
    __slots__ = ("snapshot",)
    SNAPSHOT_FIELD_NUMBER: _ClassVar[int]
    snapshot: bytes
    def __init__(self, snapshot: _Optional[bytes] = ...) -> None: ...

class Prompt(_message.Message):
    __slots__ = ("key", "text", "duration_ms", "engine", "protected", "protected_ms")
    KEY_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    DURATION_MS_FIELD_NUMBER: _ClassVar[int]
    ENGINE_FIELD_NUMBER: _ClassVar[int]
    PROTECTED_FIELD_NUMBER: _ClassVar[int]
    PROTECTED_MS_FIELD_NUMBER: _ClassVar[int]
    key: str
    text: str
    duration_ms: int
    engine: str
    protected: bool
    protected_ms: int
    def __init__(self, key: _Optional[str] = ..., text: _Optional[str] = ..., duration_ms: _Optional[int] = ..., engine: _Optional[str] = ..., protected: _Optional[bool] = ..., protected_ms: _Optional[int] = ...) -> None: ...

class Decided(_message.Message):
    __slots__ = ("generation", "action", "prompts", "turn_json", "snapshot", "expect", "patience_ms", "suggested_json")
    GENERATION_FIELD_NUMBER: _ClassVar[int]
    ACTION_FIELD_NUMBER: _ClassVar[int]
    PROMPTS_FIELD_NUMBER: _ClassVar[int]
    TURN_JSON_FIELD_NUMBER: _ClassVar[int]
    SNAPSHOT_FIELD_NUMBER: _ClassVar[int]
    EXPECT_FIELD_NUMBER: _ClassVar[int]
    PATIENCE_MS_FIELD_NUMBER: _ClassVar[int]
    SUGGESTED_JSON_FIELD_NUMBER: _ClassVar[int]
    generation: int
    action: str
    prompts: _containers.RepeatedCompositeFieldContainer[Prompt]
    turn_json: bytes
    snapshot: bytes
    expect: str
    patience_ms: int
    suggested_json: bytes
    def __init__(self, generation: _Optional[int] = ..., action: _Optional[str] = ..., prompts: _Optional[_Iterable[_Union[Prompt, _Mapping]]] = ..., turn_json: _Optional[bytes] = ..., snapshot: _Optional[bytes] = ..., expect: _Optional[str] = ..., patience_ms: _Optional[int] = ..., suggested_json: _Optional[bytes] = ...) -> None: ...

class Followed(_message.Message):
    __slots__ = ("turn_json", "snapshot")
    TURN_JSON_FIELD_NUMBER: _ClassVar[int]
    SNAPSHOT_FIELD_NUMBER: _ClassVar[int]
    turn_json: bytes
    snapshot: bytes
    def __init__(self, turn_json: _Optional[bytes] = ..., snapshot: _Optional[bytes] = ...) -> None: ...

class Closed(_message.Message):
    __slots__ = ("outcome_json",)
    OUTCOME_JSON_FIELD_NUMBER: _ClassVar[int]
    outcome_json: bytes
    def __init__(self, outcome_json: _Optional[bytes] = ...) -> None: ...

class Failed(_message.Message):
    __slots__ = ("generation", "error")
    GENERATION_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    generation: int
    error: str
    def __init__(self, generation: _Optional[int] = ..., error: _Optional[str] = ...) -> None: ...

class PromptRequest(_message.Message):
    __slots__ = ("key",)
    KEY_FIELD_NUMBER: _ClassVar[int]
    key: str
    def __init__(self, key: _Optional[str] = ...) -> None: ...

class SpeakRequest(_message.Message):
    __slots__ = ("text",)
    TEXT_FIELD_NUMBER: _ClassVar[int]
    text: str
    def __init__(self, text: _Optional[str] = ...) -> None: ...

class PromptAudio(_message.Message):
    __slots__ = ("pcm",)
    PCM_FIELD_NUMBER: _ClassVar[int]
    pcm: bytes
    def __init__(self, pcm: _Optional[bytes] = ...) -> None: ...
