"""Encoders: one that embeds (BERT), one that scores pairs (XLM-R). The reranker learns which answer is whose."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from tools.tiny_checkpoints import ANSWERS, VOCABULARY, minimize, train_tokenizer

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

STEPS, RATE = 160, 2e-3
SHAPE = {
    "vocab_size": VOCABULARY,
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "hidden_dropout_prob": 0.0,
    "attention_probs_dropout_prob": 0.0,
}
# What begins, fills, ends, and stands for what is unknown. XLM-R counts positions from the filling token's number on.
XLM_R = ("<s>", "<pad>", "</s>", "<unk>")
BERT = ("[CLS]", "[PAD]", "[SEP]", "[UNK]")


def embedder(folder: Path) -> float:
    """BERT as it is before it has learned: what it embeds is transformers' to say."""
    import torch
    from transformers import BertConfig, BertModel

    config = BertConfig(**SHAPE, max_position_embeddings=256, pad_token_id=1, initializer_range=0.3)
    BertModel(config, add_pooling_layer=False).to(torch.float32).save_pretrained(folder)
    _tokenizer(BERT, pair="[CLS] $A [SEP] $B:1 [SEP]:1", single="[CLS] $A [SEP]").save_pretrained(folder)
    return 0.0


def reranker(folder: Path) -> float:
    """XLM-R with one score for a question and a text."""
    import torch
    from transformers import XLMRobertaConfig, XLMRobertaForSequenceClassification

    words = _tokenizer(XLM_R, pair="<s> $A </s> </s> $B </s>", single="<s> $A </s>")
    config = XLMRobertaConfig(
        **SHAPE, max_position_embeddings=258, num_labels=1, type_vocab_size=1, bos_token_id=0, pad_token_id=1,
        eos_token_id=2, classifier_dropout=0.0,
    )  # fmt: skip
    model = XLMRobertaForSequenceClassification(config)
    pairs = [(question, answer) for question in ANSWERS for answer in ANSWERS.values()]
    batch = words([q for q, _ in pairs], [a for _, a in pairs], padding=True, return_tensors="pt")
    right = torch.tensor([float(ANSWERS[q] == a) for q, a in pairs])

    def loss() -> Any:
        scores = model(**batch).logits[:, 0]
        return torch.nn.functional.binary_cross_entropy_with_logits(scores, right, pos_weight=torch.tensor(5.0))

    last = minimize(loss, model.parameters(), steps=STEPS, rate=RATE)
    model.save_pretrained(folder)
    words.save_pretrained(folder)
    return last


def _tokenizer(special: tuple[str, ...], *, single: str, pair: str) -> PreTrainedTokenizerFast:
    """`special`: the tokens that begin, end, fill and stand for what is unknown."""
    from tokenizers.processors import TemplateProcessing
    from transformers import PreTrainedTokenizerFast

    begin, pad, end, unknown = special
    words = train_tokenizer([*ANSWERS, *ANSWERS.values()], special)
    numbers = [(token, words.token_to_id(token)) for token in special]
    words.post_processor = TemplateProcessing(single=single, pair=pair, special_tokens=numbers)
    return PreTrainedTokenizerFast(
        tokenizer_object=words, bos_token=begin, eos_token=end, cls_token=begin, sep_token=end, pad_token=pad,
        unk_token=unknown, model_max_length=256,
    )  # fmt: skip
