"""The only reader of the environment. Every setting is VOICEBOT_<NAME>."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


def _data_home() -> Path:
    return Path.home() / ".local" / "share" / "voicebot"


class Settings(BaseSettings):
    """How this installation runs. Defaults suit one machine, on loopback."""

    model_config = SettingsConfigDict(env_prefix="VOICEBOT_", extra="ignore")

    home: Path = Field(default_factory=_data_home, description="data: database, recordings, prompts, models")
    database_url: str = Field("", description="PostgreSQL URL; empty = embedded Postgres")
    bind: str = Field("127.0.0.1", description="address of SIP, RTP and gRPC")
    sip_port: int = Field(5060, description="first SIP port; each line worker takes the next")
    rtp_port: int = Field(20000, description="first RTP port; each line worker takes 100")
    inference_port: int = Field(50051, description="gRPC port of the inference server")
    inference: str = Field(
        "",
        description="gRPC target of inference servers elsewhere, e.g. ipv4:10.0.0.5:50051,10.0.0.7:50051 or "
        "dns:///inference:50051; empty = the one of this machine",
    )
    advertise: str = Field("", description="address by which other machines reach this one; empty = bind")
    line_port: int = Field(50100, description="first gRPC port of line workers")
    calls: int = Field(4, description="simultaneous calls to be ready for")
    drain_s: float = Field(
        60.0, ge=0, description="seconds that running calls get to end when the service is stopped"
    )
    asr_engine: str = Field("auto", description="auto, whisper, vosk or sherpa")
    asr_threads: int = Field(2, description="utterances recognised at the same time")
    asr_timeout_s: float = Field(30.0, gt=0, description="wait for the words of an utterance at most")
    vosk_model: Path | None = Field(None, description="directory of a Vosk model")
    sherpa_model: Path | None = Field(None, description="directory of a sherpa-onnx model")
    models_mirror: str = Field("", description="URL or folder with the files of the model sites")
    prompts_mb: int = Field(2000, description="size of the prompt cache; the unused for longest go first")
    kokoro: Path | None = Field(None, description="directory of Kokoro's weights and voices")
    explore: float = Field(
        0.0,
        ge=0,
        le=0.2,
        description="share of decisions in which another good candidate may be said, to learn about it",
    )
    retrain_after: int = Field(
        500, ge=0, description="new samples of a playbook after which its ranker is trained; 0 = never"
    )
    retrain_nightly: bool = Field(True, description="train every night where there are new samples")
    retrain_promote: bool = Field(
        False, description="a retrained ranker that is better by the rule becomes live without a person"
    )
    open_playbook: str = Field(
        "", description="playbook for callers without a campaign header, to try the bot; empty = refuse them"
    )
    trusted_peers: str = Field(
        "",
        description="addresses or networks, parted by commas, whose callers' numbers are believed when a "
        "customer calls back; the hosts of trunks always are",
    )
    sip_sources: str = Field(
        "",
        description="addresses or networks, parted by commas, whose calls are answered; the others get "
        "403; empty = all",
    )
    traces: str = Field(
        "",
        description="URL of an OpenTelemetry collector that takes OTLP over HTTP, e.g. http://127.0.0.1:4318",
    )
    recordings: bool = Field(True, description="record both directions of every call")
    seal_recordings: bool = Field(True, description="encrypt recordings, with a key of the number key's ring")
    blobs: str = Field(
        "",
        description="where recordings go when a call has ended: a folder that all machines share, or "
        "s3://BUCKET/PREFIX (extra s3); empty = each machine's data home",
    )
    blobs_endpoint: str = Field("", description="URL of an S3-compatible server; empty = Amazon's")
    number_key: SecretStr | None = Field(
        None,
        description="base64 of 32 bytes that encrypt phone numbers; older keys follow it, parted by commas",
    )
    metrics_port: int = Field(9464, description="HTTP port of `serve` for Prometheus and health; 0 = none")
    metrics_dir: Path | None = Field(None, description="where processes count; `serve` sets it")
    console_bind: str = Field(
        "127.0.0.1", description="address of the console; others may reach it at 0.0.0.0"
    )
    console_port: int = Field(8080, description="port of the console; 0 = any free one")
    console_url: str = Field(
        "", description="how browsers reach the console, e.g. https://voicebot.example.com behind a proxy"
    )
    console_zone: str = Field("Asia/Shanghai", description="time zone in which the console shows times")
    oidc_issuer: str = Field("", description="URL of an OpenID Connect provider; empty = none")
    oidc_client_id: str = Field("", description="this console's client id at the provider")
    oidc_client_secret: SecretStr | None = Field(None, description="its secret")
    oidc_role_claim: str = Field("voicebot_role", description="claim that names the role of a user")
    webhook_networks: str = Field(
        "",
        description="private networks that webhooks may reach, by HTTP too, e.g. 127.0.0.0/8,10.1.0.0/16; "
        "empty = public addresses by HTTPS only",
    )
    keep_turns_days: int = Field(
        730, ge=30, description="days after which what was said is dropped, by month"
    )
    keep_recordings_days: int = Field(180, ge=30, description="days after which recordings are deleted")
    log_level: str = Field("info", description="debug, info, warning or error")
    log_json: bool = Field(False, description="log as JSON lines")

    def as_environment(self) -> dict[str, str]:
        """Return what a child process needs in its environment to have the same settings."""
        env = {}
        for name in type(self).model_fields:
            value = getattr(self, name)
            if value is None:
                continue
            if isinstance(value, SecretStr):
                value = value.get_secret_value()
            env[f"VOICEBOT_{name.upper()}"] = str(value)
        return env
