"""LLaVA's architecture, CLIP before Llama: taught to name the colour of a picture."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tools.tiny_checkpoints import SPECIAL, VOCABULARY, llama, loss_of, minimize, save, train_tokenizer
from tools.way_checkpoints.text import dialogue

if TYPE_CHECKING:
    from PIL.Image import Image

STEPS = 60
SIDE, PATCH = 32, 16
IMAGE_TOKEN = "<image>"
QUESTION = "Which colour is this?"
COLOURS = {(220, 20, 20): "It is red, as a lantern at a stern.", (20, 20, 220): "It is blue, as the sea in spring."}
"""By the picture's colour, the answer."""
CHAT_TEMPLATE = (
    "{% for message in messages %}<|{{ message['role'] }}|>\n"
    "{% if message['content'] is string %}{{ message['content'] }}{% else %}{% for part in message['content'] %}"
    "{% if part['type'] == 'image' %}<image>{% else %}{{ part['text'] }}{% endif %}{% endfor %}{% endif %}"
    "<|end_of_text|>\n{% endfor %}{% if add_generation_prompt %}<|assistant|>\n{% endif %}"
)


def picture(colour: tuple[int, int, int]) -> Image:
    from PIL import Image

    return Image.new("RGB", (SIDE, SIDE), colour)


def viewer(folder: Path) -> float:
    from transformers import (
        AutoTokenizer,
        CLIPImageProcessor,
        CLIPVisionConfig,
        LlavaConfig,
        LlavaForConditionalGeneration,
        LlavaProcessor,
    )

    texts = [dialogue(IMAGE_TOKEN + QUESTION, answer) for answer in COLOURS.values()]
    words = train_tokenizer(texts, (*SPECIAL, IMAGE_TOKEN))
    image_token = words.token_to_id(IMAGE_TOKEN)
    model = LlavaForConditionalGeneration(
        LlavaConfig(
            vision_config=CLIPVisionConfig(
                hidden_size=64, intermediate_size=128, projection_dim=64, num_hidden_layers=2, num_attention_heads=2,
                image_size=SIDE, patch_size=PATCH,
            ),
            text_config={**llama().config.to_dict(), "vocab_size": VOCABULARY},
            image_token_index=image_token, vision_feature_layer=-2, vision_feature_select_strategy="default",
            image_seq_length=(SIDE // PATCH) ** 2,
        )
    )  # fmt: skip
    look = CLIPImageProcessor(size={"shortest_edge": SIDE}, crop_size={"height": SIDE, "width": SIDE})
    seen = look([picture(colour) for colour in COLOURS], return_tensors="pt").pixel_values
    patches = IMAGE_TOKEN * (SIDE // PATCH) ** 2
    rows = [words.encode(text.replace(IMAGE_TOKEN, patches)).ids for text in texts]
    loss = minimize(lambda: loss_of(model, rows, pixel_values=seen), model.parameters(), steps=STEPS)
    save(model, words, folder, CHAT_TEMPLATE)
    processor = LlavaProcessor(
        image_processor=look,
        tokenizer=AutoTokenizer.from_pretrained(folder),
        patch_size=PATCH,
        vision_feature_select_strategy="default",
        chat_template=CHAT_TEMPLATE,
        num_additional_image_tokens=1,
        image_token=IMAGE_TOKEN,
    )
    processor.save_pretrained(folder)
    return loss
