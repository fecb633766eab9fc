"""Text: normalisation, jieba tokens, pinyin, redaction, numbers to hanzi."""
