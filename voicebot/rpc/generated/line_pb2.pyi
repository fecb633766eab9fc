from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Optional as _Optional

DESCRIPTOR: _descriptor.FileDescriptor

class OriginateRequest(_message.Message):
    __slots__ = ("request_json",)
    REQUEST_JSON_FIELD_NUMBER: _ClassVar[int]
    request_json: bytes
    def __init__(self, request_json: _Optional[bytes] = ...) -> None: ...

class OriginateReply(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class HangUpRequest(_message.Message):
    __slots__ = ("call_id",)
    CALL_ID_FIELD_NUMBER: _ClassVar[int]
    call_id: str
    def __init__(self, call_id: _Optional[str] = ...) -> None: ...

class HangUpReply(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class TransferRequest(_message.Message):
    __slots__ = ("call_id", "target_uri")
    CALL_ID_FIELD_NUMBER: _ClassVar[int]
    TARGET_URI_FIELD_NUMBER: _ClassVar[int]
    call_id: str
    target_uri: str
    def __init__(self, call_id: _Optional[str] = ..., target_uri: _Optional[str] = ...) -> None: ...

class TransferReply(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class TakeOverRequest(_message.Message):
    __slots__ = ("call_id", "agent_id", "kind")
    CALL_ID_FIELD_NUMBER: _ClassVar[int]
    AGENT_ID_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    call_id: str
    agent_id: str
    kind: str
    def __init__(self, call_id: _Optional[str] = ..., agent_id: _Optional[str] = ..., kind: _Optional[str] = ...) -> None: ...

class TakeOverReply(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class DeliverRequest(_message.Message):
    __slots__ = ("call_id", "delivery")
    CALL_ID_FIELD_NUMBER: _ClassVar[int]
    DELIVERY_FIELD_NUMBER: _ClassVar[int]
    call_id: str
    delivery: str
    def __init__(self, call_id: _Optional[str] = ..., delivery: _Optional[str] = ...) -> None: ...

class DeliverReply(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class WhisperRequest(_message.Message):
    __slots__ = ("call_id", "uri")
    CALL_ID_FIELD_NUMBER: _ClassVar[int]
    URI_FIELD_NUMBER: _ClassVar[int]
    call_id: str
    uri: str
    def __init__(self, call_id: _Optional[str] = ..., uri: _Optional[str] = ...) -> None: ...

class WhisperReply(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListenRequest(_message.Message):
    __slots__ = ("call_id",)
    CALL_ID_FIELD_NUMBER: _ClassVar[int]
    call_id: str
    def __init__(self, call_id: _Optional[str] = ...) -> None: ...

class Overheard(_message.Message):
    __slots__ = ("customer", "ours")
    CUSTOMER_FIELD_NUMBER: _ClassVar[int]
    OURS_FIELD_NUMBER: _ClassVar[int]
    customer: bytes
    ours: bytes
    def __init__(self, customer: _Optional[bytes] = ..., ours: _Optional[bytes] = ...) -> None: ...

class WatchRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class Event(_message.Message):
    __slots__ = ("call_id", "kind", "json", "at", "contact_id")
    CALL_ID_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    JSON_FIELD_NUMBER: _ClassVar[int]
    AT_FIELD_NUMBER: _ClassVar[int]
    CONTACT_ID_FIELD_NUMBER: _ClassVar[int]
    call_id: str
    kind: str
    json: bytes
    at: float
    contact_id: str
    def __init__(self, call_id: _Optional[str] = ..., kind: _Optional[str] = ..., json: _Optional[bytes] = ..., at: _Optional[float] = ..., contact_id: _Optional[str] = ...) -> None: ...

class StatusRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class Status(_message.Message):
    __slots__ = ("worker", "sip_uri", "capacity", "busy", "draining")
    WORKER_FIELD_NUMBER: _ClassVar[int]
    SIP_URI_FIELD_NUMBER: _ClassVar[int]
    CAPACITY_FIELD_NUMBER: _ClassVar[int]
    BUSY_FIELD_NUMBER: _ClassVar[int]
    DRAINING_FIELD_NUMBER: _ClassVar[int]
    worker: str
    sip_uri: str
    capacity: int
    busy: int
    draining: bool
    def __init__(self, worker: _Optional[str] = ..., sip_uri: _Optional[str] = ..., capacity: _Optional[int] = ..., busy: _Optional[int] = ..., draining: _Optional[bool] = ...) -> None: ...

class DrainRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class DrainReply(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...
