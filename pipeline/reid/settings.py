"""What a video encoder is made of: the settings that travel in its weights file."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from pipeline.config import Settings

BackboneName = Literal[
    "mobilenetv4_conv_small",
    "mobilenetv4_conv_small_050",
    "osnet_x0_25",
    "osnet_x1_0",
    "resnet50",
    "resnet50_ibn_a",
    "resnet50_non_local",
    "vit_small_patch16_224",
]
PoolingName = Literal["parts", "whole", "torchreid"]
HeadName = Literal[
    "mean",
    "consensus",
    "attention",
    "quality",
    "lstm_attention",
    "self_attention",
    "rfa_lstm",
    "agw",
    "drsa",
    "cosam",
]

ATTENDED_PARTS = 4
"""Soft parts of the head `drsa`, and heads of `self_attention`; D is a multiple of it."""
PATCH_PX = 16
TORCHREID_DIMENSION = 512
"""Length of what an OSNet of torchreid gives."""

Side = Annotated[int, Field(ge=32, le=1024)]


class EncoderSettings(Settings):
    """A video encoder: backbone, pooling and temporal head."""

    backbone: BackboneName = Field("mobilenetv4_conv_small", description="Network of one crop.")
    pooling: PoolingName = Field(
        "parts",
        description="GeM over whole, upper and lower body, or over the whole alone; torchreid: the"
        " mean and fully connected layer that public OSNet weights come with. The head drsa has"
        " its own.",
    )
    head: HeadName = Field("lstm_attention", description="How the frames of a clip become one.")
    dimension: Annotated[int, Field(ge=8, le=4096)] = Field(
        256, description="Length of the embedding."
    )
    height_px: Side = Field(256, description="Height to which crops are resized.")
    width_px: Side = Field(128, description="Width to which crops are resized.")

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        is_osnet = self.backbone.startswith("osnet")
        if self.pooling == "torchreid" and not (is_osnet and self.dimension == TORCHREID_DIMENSION):
            raise ValueError(
                f"pooling torchreid: expected an osnet backbone and dimension"
                f" {TORCHREID_DIMENSION}, got {self.backbone} and {self.dimension}"
            )
        if self.head in ("drsa", "self_attention") and self.dimension % ATTENDED_PARTS:
            raise ValueError(
                f"head {self.head}: expected a dimension divisible by {ATTENDED_PARTS},"
                f" got {self.dimension}"
            )
        if self.backbone.startswith("vit") and (
            self.height_px % PATCH_PX or self.width_px % PATCH_PX
        ):
            raise ValueError(
                f"backbone {self.backbone}: expected height_px and width_px divisible by"
                f" {PATCH_PX}, got {self.height_px} and {self.width_px}"
            )
        return self

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the network's input, pixels."""
        return self.height_px, self.width_px
