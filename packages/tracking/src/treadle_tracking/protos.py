"""TensorBoard's messages, as much of them as a run needs, described here instead of imported from TensorBoard.

Field numbers are those of `tensorboard/compat/proto/{event,summary,tensor,tensor_shape}.proto` and
`tensorboard/plugins/hparams/{plugin_data,api}.proto`. The descriptors live in a pool of their own, so that they never
meet TensorBoard's or tensorboardX's in one process. Two fields are ours, with a number that both of TensorBoard's
backends skip and that its own protobuf keeps when it copies an event: `Event.entry` and `Value.exact`.

The file is declared as proto2 only so that every field knows whether it was set; the bytes are the same.
"""

from functools import cache
from typing import Any

__all__ = ["OWN_FIELD", "Messages", "messages"]

OWN_FIELD = 1701

_PACKAGE = "treadle.tensorboard"

# Enumerations are plain integers here: protobuf reads and writes the same bytes for both.
_MESSAGES: dict[str, dict[str, tuple[int, str]]] = {
    "SessionLog": {"status": (1, "int32")},
    "PluginData": {"plugin_name": (1, "string"), "content": (2, "bytes")},
    "SummaryMetadata": {"plugin_data": (1, "PluginData")},
    "Dim": {"size": (1, "int64")},
    "TensorShape": {"dim": (2, "repeated Dim")},
    "Tensor": {
        "dtype": (1, "int32"),
        "tensor_shape": (2, "TensorShape"),
        "tensor_content": (4, "bytes"),
        # What follows, but for texts, others write and we only read.
        "float_val": (5, "repeated float"),
        "double_val": (6, "repeated double"),
        "int_val": (7, "repeated int32"),
        "string_val": (8, "repeated bytes"),
        "int64_val": (10, "repeated int64"),
        "bool_val": (11, "repeated bool"),
        "half_val": (13, "repeated int32"),
        "uint32_val": (16, "repeated uint32"),
        "uint64_val": (17, "repeated uint64"),
    },
    "OldImage": {
        "height": (1, "int32"),
        "width": (2, "int32"),
        "encoded_image_string": (4, "bytes"),
    },
    "OldHistogram": {
        "min": (1, "double"),
        "max": (2, "double"),
        "bucket_limit": (6, "repeated double"),
        "bucket": (7, "repeated double"),
    },
    "Value": {
        "tag": (1, "string"),
        "simple_value": (2, "float"),
        "image": (4, "OldImage"),
        "histo": (5, "OldHistogram"),
        "tensor": (8, "Tensor"),
        "metadata": (9, "SummaryMetadata"),
        "exact": (OWN_FIELD, "double"),
    },
    "Summary": {"value": (1, "repeated Value")},
    "Event": {
        "wall_time": (1, "double"),
        "step": (2, "int64"),
        "file_version": (3, "string"),
        "summary": (5, "Summary"),
        "session_log": (7, "SessionLog"),
        "entry": (OWN_FIELD, "bytes"),
    },
    "Hparam": {"key": (1, "string"), "value": (2, ".google.protobuf.Value")},
    "SessionStartInfo": {
        "hparams": (1, "repeated Hparam"),  # what map<string, google.protobuf.Value> is made of
        "group_name": (4, "string"),
        "start_time_secs": (5, "double"),
    },
    "SessionEndInfo": {"status": (1, "int32"), "end_time_secs": (2, "double")},
    "HParamsPluginData": {
        "version": (1, "int32"),
        "session_start_info": (3, "SessionStartInfo"),
        "session_end_info": (4, "SessionEndInfo"),
    },
}


class Messages:
    """The message classes. Making them takes some 20 ms, most of it the import of protobuf."""

    def __init__(self) -> None:
        from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, struct_pb2

        field_type = descriptor_pb2.FieldDescriptorProto
        scalars = {"double", "float", "int64", "int32", "uint64", "uint32"}
        scalars |= {"bool", "string", "bytes"}
        file = descriptor_pb2.FileDescriptorProto(
            name="treadle/tensorboard.proto",
            package=_PACKAGE,
            syntax="proto2",
            dependency=["google/protobuf/struct.proto"],
        )
        for message_name, fields in _MESSAGES.items():
            message = file.message_type.add(name=message_name)
            for field_name, (number, kind) in fields.items():
                repeated, _, type_name = kind.rpartition(" ")
                field = message.field.add(
                    name=field_name,
                    number=number,
                    label=field_type.LABEL_REPEATED if repeated else field_type.LABEL_OPTIONAL,
                )
                if type_name in scalars:
                    field.type = field_type.Type.Value(f"TYPE_{type_name.upper()}")
                else:
                    field.type = field_type.TYPE_MESSAGE
                    field.type_name = (
                        type_name if type_name.startswith(".") else f".{_PACKAGE}.{type_name}"
                    )
        pool = descriptor_pool.DescriptorPool()
        pool.AddSerializedFile(struct_pb2.DESCRIPTOR.serialized_pb)
        pool.AddSerializedFile(file.SerializeToString())

        def message_class(name: str) -> Any:
            return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{_PACKAGE}.{name}"))

        self.event = message_class("Event")
        self.hparams = message_class("HParamsPluginData")


@cache
def messages() -> Messages:
    """The message classes, made at the first call."""
    return Messages()
