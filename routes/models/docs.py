"""The models' part of the OpenAPI document."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from ...vectrahub_client.service.openapi import bare_answer, json_answer, operation, parameter

_TAG = "models"
_TEXT = {"type": "string"}
_MODEL = {"type": _TEXT, "path": {**_TEXT, "description": "Below the type's folder, with slashes: sdxl/x.safetensors."}}
_UPLOAD = {"upload_id": _TEXT}
CHUNK_TYPES = ("application/offset+octet-stream", "application/octet-stream")


class ModelView(BaseModel):
    """A model file."""

    type: str = Field(description="The host's name for the folder: loras, checkpoints, ...")
    path: str
    name: str = Field(description="The file without folders and suffix.")
    size: int = Field(ge=0, description="Bytes.")
    modified: str = Field(description="RFC 3339, UTC.")
    base_model: str | None = Field(description="By the file's own words, else by its first folder.")
    sha256: str | None = Field(description="Null until it was computed.")


class ModelList(BaseModel):
    """By type and path. `types`: those that there are."""

    models: list[ModelView]
    types: list[str]


class NewUpload(BaseModel):
    """What will be uploaded; it becomes TYPE/BASE_MODEL/FILENAME."""

    model_config = ConfigDict(extra="forbid", strict=True)

    filename: str = Field(description="A name without folders that ends with .safetensors.")
    model_type: str = Field(min_length=1, max_length=100, description="loras, lora, checkpoints, controlnet, ...")
    base_model: str | None = Field(None, description="sdxl, flux, ...: the folder that it is put into.")
    size: int = Field(ge=9, le=2**53, description="Bytes of the whole file.")
    sha256: str | None = Field(None, description="Hexadecimal; checked before the model gets its name.")


class UploadView(BaseModel):
    """An upload under way; it goes on at `offset`."""

    upload_id: str
    offset: int = Field(ge=0)
    size: int = Field(ge=0)


LIST = operation(
    "The models",
    _TAG,
    {200: json_answer("All that fit.", ModelList)},
    refusals=(404, 422),
    query=[parameter("type", _TEXT, "Of this type."), parameter("base_model", _TEXT, "Made for this one: sdxl, flux.")],
)
DOWNLOAD = operation(
    "The file of a model",
    _TAG,
    {
        200: bare_answer("The file.", "application/octet-stream"),
        206: bare_answer("The part that Range asks for.", "application/octet-stream"),
        304: bare_answer("It has not changed."),
        412: bare_answer("It has changed."),
        416: bare_answer("Range is outside of the file."),
    },
    refusals=(404, 422),
    path=_MODEL,
    description="With Range, ETag and their kin.",
)
DELETE = operation(
    "Delete a model; a host that has it in memory keeps it there until it needs the room",
    _TAG,
    {200: json_answer("What was deleted.", ModelView)},
    refusals=(404, 409, 422),
    path=_MODEL,
)
HASH = operation(
    "Compute a model's SHA-256: seconds per gigabyte, once",
    _TAG,
    {200: json_answer("The model with it.", ModelView)},
    refusals=(404, 422),
    path=_MODEL,
)
START = operation(
    "Begin an upload",
    _TAG,
    {201: json_answer("Send the bytes to Location.", UploadView, Location="The upload.", Upload_Offset="0.")},
    refusals=(400, 404, 408, 409, 413, 415, 422, 429, 507),
    body={"application/json": NewUpload},
)
STATUS = operation(
    "Where an upload goes on",
    _TAG,
    {
        200: bare_answer("Upload-Offset and Upload-Length say it in bytes."),
        404: bare_answer("None is under way: it is done, was abandoned for a day, or never was."),
        422: bare_answer("A parameter that is not known."),
    },
    path=_UPLOAD,
)
APPEND = operation(
    "Add bytes to an upload",
    _TAG,
    {
        201: json_answer("It is whole: the model.", ModelView, Location="The model."),
        204: bare_answer("They are safe; Upload-Offset says where to go on."),
    },
    refusals=(400, 404, 408, 409, 413, 415, 422, 429, 507),
    headers=[{**parameter("Upload-Offset", {"type": "integer", "minimum": 0}, "Their place."), "required": True}],
    path=_UPLOAD,
    body={kind: {"type": "string", "format": "binary"} for kind in CHUNK_TYPES},
    description="What came before a connection broke is kept: HEAD says where to go on.",
)
ABANDON = operation(
    "Give up an upload", _TAG, {204: bare_answer("What came is removed.")}, refusals=(404, 409, 422), path=_UPLOAD
)
