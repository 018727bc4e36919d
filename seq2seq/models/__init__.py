"""Models: Encoder, Decoder, and Seq2Seq, which wires the two."""

from seq2seq.models.decoder import Decoder, DecoderState, StepOutput
from seq2seq.models.encoder import Encoder, Memory
from seq2seq.models.ensemble import Ensemble
from seq2seq.models.seq2seq import Seq2Seq

__all__ = ["Decoder", "DecoderState", "Encoder", "Ensemble", "Memory", "Seq2Seq", "StepOutput"]
