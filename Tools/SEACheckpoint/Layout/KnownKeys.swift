// SPDX-License-Identifier: Apache-2.0
// Configuration keys that need no mention when they have no effect.

/// Keys that are read, or that say nothing about the numbers a model computes.
///
/// Any other key is listed in the account of a conversion: it may be a feature that is not known here.
enum KnownKeys {
  /// True when a key is read or known to be without effect.
  static func contains(_ key: String) -> Bool { keys.contains(key) }

  private static let keys = Set(read + harmless)

  private static let read = [
    "model_type", "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads",
    "num_key_value_heads", "head_dim", "vocab_size", "hidden_act", "hidden_activation",
    "rms_norm_eps", "layer_norm_eps", "rope_theta", "rope_scaling", "rope_parameters",
    "partial_rotary_factor", "sliding_window", "tie_word_embeddings", "max_position_embeddings",
    "eos_token_id", "attention_bias", "mlp_bias", "image_size", "patch_size", "num_channels",
    "vision_config", "text_config", "vision_feature_layer", "vision_feature_select_strategy",
    "projector_hidden_act", "multimodal_projector_bias", "mm_vision_tower", "mm_projector_type",
    "mm_hidden_size", "mm_vision_select_layer", "mm_vision_select_feature", "image_aspect_ratio",
    "tokenizer_model_max_length", "_name_or_path", "transformers_version", "s2", "s2_scales",
    "connector_type", "vision_hidden_size", "llm_model_name_or_path", "vision_model_name_or_path",
    "mm_vision_tower_aux_list", "vision_tower_aux_list", "mm_vision_tower_aux_token_len_list",
    "image_token_len", "s2_max_split_size", "vision_tower",
  ]

  private static let harmless = [
    "architectures", "torch_dtype", "dtype", "use_cache", "bos_token_id", "pad_token_id",
    "unk_token_id", "initializer_range", "initializer_factor", "attention_dropout", "dropout",
    "embd_pdrop", "resid_pdrop", "pretraining_tp", "original_max_position_embeddings",
    "projection_dim", "projection_size", "logit_scale_init_value", "text_config_dict",
    "vision_config_dict", "vision_use_head", "ignore_index", "image_token_index",
    "image_token_id", "image_seq_length", "use_bidirectional_attention", "freeze_mm_mlp_adapter",
    "freeze_mm_vision_resampler", "mm_projector_lr", "mm_use_im_patch_token",
    "mm_use_im_start_end", "mm_patch_merge_type", "mm_resampler_type", "tokenizer_padding_side",
    "tune_mm_mlp_adapter", "tune_mm_vision_resampler", "unfreeze_mm_vision_tower", "use_mm_proj",
    "connector_only", "connector_depth", "num_query_group", "query_num_list", "image_position",
    "cache_dir", "num_queries", "num_resampler_layers", "pad_token", "resampler_hidden_size",
    "tokenizer_name_or_path", "tokenizer_use_fast", "tune_type_connector", "tune_type_llm",
    "tune_type_vision_tower", "tune_vision_tower_from_layer", "vision_model_name_or_path2",
    "max_length", "temperature", "top_p", "do_sample", "num_return_sequences",
  ]
}
