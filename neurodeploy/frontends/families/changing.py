"""Settings that change what a model computes: closed lists of names, each with the rule for the values that change nothing.

A page of a family reads what its layers have. Of the rest, a setting on the list may only have a neutral value (a soft cap
that is off, a factor of 1, a window as long as the model's positions); one that is not on it is neutral whatever its value.

`CONFIG` and `NEUTRAL` together name every field of the configuration classes of transformers 5.23's causal language
models once, and of its generation settings; `ROPE` those of its rotary parameters; `GGUF` the keys of a
model of the package gguf 0.19. A name in none of them is judged by its words: it counts as one of the list where a word is
in `WORDS` and none in `INERT`.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from neurodeploy.frontends.families import neutral as is_
from neurodeploy.frontends.families.neutral import GROUP, INDIFFERENT, Rule, Settings, words

#: Words of a name that make it matter, and words that unmake it (training, precision, speed, what is returned).
WORDS = words("""
    act activation activations alibi altup attention attn bias biases bidirectional cap causal clamp clip cnn conv cross
    embedding embeddings embd expert experts factor ffn gate gated gates gating glu head heads kv layernorm logit logits lora
    mamba mixer mlp moe multiplier multipliers mup norm normalization norms parallel partial postnorm prenorm qk qkv quant
    quantization quantized query rank residual rms rmsnorm rope rotary router sandwich scale scaled scales scaling shared
    sink sinks sliding smear softcap softcapping softmax sparse sparsity ssm temperature tied tie window windows yarn
    """)  # fmt: skip
INERT = words("""
    audio aux bf bfloat cache checkpoint checkpointing checkpoints coef compile device drop dropout dtype eager ema flash
    float fused generation grad gradient id ids image impl implementation index init initialization initializer jitter
    kernel kernels label labels layerdrop loss lr optimizer pdrop pipeline precision profile return sdpa std tensor
    tokenizer tp training triton upcast version video vision xformers
    """)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Listed:
    """`rules` of the names that matter, the `neutral` names, and the rule for a name that is in neither.

    every : each unknown name counts as one that matters; otherwise its words decide.
    fix : what helps against a setting that is not supported.
    """

    rules: Mapping[str, Rule]
    neutral: frozenset[str]
    unknown: Rule = is_.OFF_OR_ONE
    every: bool = False
    fix: str = "give a checkpoint without, or remove what the model's own code does not read"

    def rule(self, name: str) -> Rule | None:
        """The rule for a setting; None where its value does not matter."""
        if name in self.neutral:
            return None
        return self.rules.get(name) or (self.unknown if self.every or matters(name) else None)

    def unknown_to(self, names: Collection[str]) -> list[str]:
        """Those of the names that are in neither list."""
        return sorted(name for name in names if name not in self.rules and name not in self.neutral)

    def changing(self, left: Mapping[str, Any], settings: Settings) -> dict[str, str]:
        """Of the settings that nobody has read those that change what is computed -> what would change nothing."""
        found = {name: self.rule(name) for name in sorted(left)}
        return {name: rule.need for name, rule in found.items() if rule and not rule.holds(left[name], settings)}


def matters(name: str) -> bool:
    """Whether a name that nobody knows looks as if it changed what is computed."""
    words = {word.lower() for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+", name)}
    return bool(words & WORDS) and not words & INERT


def _table(*rows: tuple[Rule, str]) -> dict[str, Rule]:
    return {
        **{name: is_.same(name) for name in GROUP},
        **{name: rule for rule, names in rows for name in names.split()},
    }


_STRUCTURE = """
    H_cycles L_bp_cycles L_cycles _remove_final_layer_norm activation_sparsity_pattern adapter_layer_norm adapter_rank
    adapter_reduction_factor adapter_reuse_layer_norm add_bias_linear add_cross_attention add_out_norm alibi altup_active_idx
    altup_correct_scale altup_num_inputs apply_residual_connection_post_layernorm asm attention_bias attention_chunk_size
    attention_hidden_size attention_k_eq_v attention_out_bias attention_type attention_types attn_config attn_layer_indices
    attn_layer_offset attn_layer_period attn_layers attn_temperature_tuning attn_type axial_norm_std axial_pos_embds
    axial_pos_embds_dim axial_pos_shape backbone_hidden_size bias block_ffn_dim_multiplier block_multiple_of cca_time0
    cca_time1 centroid_intermediate_top_k chain_hidden_post_norm compress_rates compression_config concat_input conv1d_width
    conv_L_cache conv_bias conv_kernel conv_kernel_size cross_attention_hidden_size cross_attention_layers cross_attn_k d_rel
    decoder decoder_bias decoder_config dense_intermediate_size depth_decoder_config enable_bias enable_moe_block
    enable_pronunciation enable_shape encoder_hash_byte_group_nb_functions encoder_hash_byte_group_size
    encoder_hash_byte_group_vocab expand expansion_ratio ffn_config ffn_proj_factor ffn_round_up_to_multiple_of floor_scale
    full_attn_idxs gated_norm_rank gating gelu_activation global_config hc_count hc_eps hc_lowrank hc_magnitude hc_mult
    hc_sinkhorn_iters heads_per_ngram hidden_mamba_act hidden_size_per_layer_input hybrid_layer_ids index_block_size
    index_head_dim index_local_blocks index_n_heads index_topk index_topk_blocks indexer_budget indexer_compress_ratio
    indexer_head_dim indexer_kv_heads indexer_n_heads indexer_types intermediate_multiple_size is_encoder is_moe
    kda_lower_bound kda_safe_gate keep_window_size kv_lora_rank laurel_rank layer_group_size layernorm_embedding
    learnable_sink_init learned_pos_emb linear_allow_neg_eigval linear_conv_kernel_dim linear_head_dim linear_key_head_dim
    linear_num_heads linear_num_key_heads linear_num_value_heads linear_value_head_dim lm_head_bias ln_before_adapter
    local_attention_window_len local_attn_chunk_length local_num_chunks_after local_num_chunks_before log_scaling_alpha
    log_scaling_n_floor lru_width lsh_attn_chunk_length lsh_num_chunks_after lsh_num_chunks_before
    make_ngram_vocab_size_divisible_by mamba_conv_bias mamba_d_conv mamba_d_head mamba_d_ssm mamba_d_state mamba_dt_rank
    mamba_expand mamba_head_dim mamba_headdim mamba_hidden_act mamba_n_groups mamba_n_heads mamba_ngroups
    mamba_norm_before_gate mamba_num_heads mamba_proj_bias mamba_rms_norm max_patch_length mixer_rms_eps mlp_bias
    moe_shared_expert_overlap multi_query mup_enabled n_groups n_langs n_layers_per_attn_res_block n_mamba_heads
    new_decoder_architecture ngram ngram_size ngram_vocab_size_base no_bias no_rope_layer_interval norm_bias
    num_attention_heads_per_layer num_buckets num_centroids num_codebooks num_decoder_attention_heads num_decoder_layers
    num_hashes num_kv_shared_layers num_layers_per_stack num_ln_in_parallel_attn num_mem_blocks num_random_blocks
    number_of_conv_states o_groups o_lora_rank output_gate_type parallel_attn per_layer_config ple_conv_kernel_size
    ple_embed_dim ple_layer_ids position_bias_max_distance position_bias_num_buckets prefix_lm projectors_bias
    prompt_mid_dim prompt_types pronunciation_embed_dim pronunciation_vocab_size q_lora_rank qk_dim_factor qk_head_dim
    qk_layernorm qk_nope_head_dim qk_norm qk_rope_head_dim qkv_bias quantization quantization_config rel_extent
    relative_max_distance rescale_embeddings rescale_every rope_interleave rope_interleaved rope_parameters rope_scaling
    rotary_value scale_attn_by_inverse_layer_idx scale_depth scale_embedding sconv_kernel_size segment_types shape_embed_dim
    shape_vocab_size short_conv_kernel_size sinusoidal_embeddings split_ngram_parts ssm_state_size state_size
    swa_num_attention_heads swa_num_key_value_heads swiglu_alpha task_type_vocab_size text_config time_step_limit
    time_step_rank type_vocab_size use_attention_gate use_bias use_bidirectional_attention use_conv_bias
    use_double_wide_mlp use_lang_emb use_learned_position_embeddings use_long_context use_mem_rope
    use_ordered_embeddings use_parallel_residual use_post_norm use_qk_norm use_qkv_bias use_sandwich_norm
    use_shared_attention_adapter use_task_id use_weighted_layer_sum v_dim_factor vocab_size_per_layer_input weight_mode"""

#: Fields of config.json that change what is computed.
CONFIG_RULES: Mapping[str, Rule] = _table(
    (is_.OFF, _STRUCTURE),
    (is_.ONE, """
        attention_in_multiplier attention_out_multiplier attention_value_scale embedding_fraction embedding_multiplier
        embedding_scale full_attn_alpha_factor full_attn_beta_factor key_multiplier linear_attn_alpha_factor
        linear_attn_beta_factor lm_head_multiplier logit_scale logits_mup_width_multiplier logits_scaling
        mlp_alpha_factor mlp_beta_factor mlp_multipliers partial_rotary_factor residual_multiplier rope_ratio
        rotary_pct scale_emb ssm_in_multiplier ssm_multipliers ssm_out_multiplier"""),
    (is_.CAP, """
        altup_coef_clip attn_logit_softcapping clip_qkv final_logit_softcapping gate_soft_cap logits_soft_cap
        mlp_gate_softcap mlp_up_softcap moe_router_logit_softcapping output_logit_soft_cap qk_l2_clip_threshold
        rel_l2_clip_threshold swiglu_limit"""),
    (is_.TRUE, "causal do_layer_norm_before layer_norm_elementwise_affine pre_norm scale_attn_weights"),
    (is_.SCORE_SCALE, "attention_multiplier attn_scale"),
    (is_.UNSCALED, "original_max_position_embeddings"),
    (is_.WINDOW, "attention_window_size local_attention sliding_window sliding_window_size window_size"),
    (is_.USE_WINDOW, "use_sliding_window"),
    (is_.WINDOWED, """
        _sliding_window_pattern global_attn_every_n_layers local_layer_ids max_window_layers
        prefix_dense_sliding_window_pattern sliding_window_pattern"""),
    (is_.among("full_attention", "attention", "global"), "attention_layers block_types layer_types layers_block_type"),
    (is_.among("dense"), "mlp_layer_types"),
    (is_.among(1, True), "no_rope_layers"),
    (is_.among("rope", "rotary"), "position_embedding_type"),
    (is_.among("rms_norm", "rmsnorm"), "norm_type"),
    (is_.EXPERT, """
        block_auto_adjust_ff_dim decoder_sparse_step enable_moe_fp32_combine expert_ffn_hidden_size
        expert_layer_offset expert_layer_period expert_selection_fn first_k_dense_replace interleave_moe_layer_step
        intermediate_size_mlp mlp_only_layers moe_apply_router_weight_on_input moe_intermediate_size moe_latent_size
        moe_layer_end_index moe_layer_interval moe_layer_start_index moe_layers moe_norm_min moe_num_shared_experts
        moe_renormalize moe_shared_expert_intermediate_size n_group n_shared_experts norm_topk_prob num_dense_layers
        num_expert_group num_shared_experts prefix_dense_intermediate_size rms_norm_eps_moe_gate router_hidden_size
        scoring_func shared_expert_combination_strategy shared_expert_intermediate_size shared_expert_sink
        shared_experts_intermediate_size shared_intermediate_size topk_group topk_method use_expert_bias
        num_experts_per_tok num_experts_per_token moe_k moe_topk top_k_experts"""),
    (is_.EXPERT_FACTOR, "moe_routed_scaling_factor route_scale routed_scaling_factor router_scaling_factor"),
)  # fmt: skip
#: Fields of config.json that leave the logits as they are: token numbers, training, sampling, precision, other towers.
NEUTRAL = INDIFFERENT | words("""
    apply_spec_augment languages lang_id return_last_states torchscript use_bfloat16 for_llm_compressor
    _flash_attn_2_enabled ffn_dim_multiplier multiple_of

    boa_token_id boi_token_id boi_token_index bos_index cls_token_id default_language eoa_token_id eoa_token_index
    eod_token_id eoi_token_id eoi_token_index eos_index image_token_id image_token_index mask_index mask_token_id
    pad_index unk_index video_token_id vision_end_token_id vision_start_token_id audio_token_id
    audio_soft_tokens_per_image vision_soft_tokens_per_image mm_tokens_per_image

    max_inference_chunksize max_sequence_length max_source_positions max_target_positions n_positions block_size
    prompt_length use_prompt chunk_size_lm_head mamba_chunk_size clamp_len mem_len reuse_len same_length bi_data

    activation_dropout attn_pdrop aux_loss_coef classifier_dropout classifier_dropout_prob decoder_layerdrop
    disable_ngram_loss dropout dropout_p emb_pdrop embd_pdrop embed_dropout embed_init_std embedding_initializer_range
    encoder_layerdrop final_w_init_variance_scale hash_seed init_device init_std initializer_cutoff_factor
    initializer_factor input_jitter_noise lambda_std_dev linear_a_log_max linear_a_log_min linear_dt_init_floor
    linear_dt_max linear_dt_min local_attention_probs_dropout_prob lsh_attention_probs_dropout_prob mask_feature_length
    mask_feature_min_masks mask_feature_prob mask_time_length mask_time_min_masks mask_time_prob mtp_loss_scaling_factor
    rescale_prenorm_residual resid_pdrop residual_dropout seed use_mems_eval use_mems_train w_init_variance_scale
    z_loss_coefficient

    attention_softmax_in_fp32 autocast_kernel_dtype chunkwise_kernel inference_state_dtype mamba_ssm_cache_dtype mode
    norm_reduction_force_float32 scale_attention_softmax_in_fp32 sequence_kernel slow_but_exact step_kernel
    use_associative_scan use_mamba_kernels use_mambapy use_mem_eff_path

    classifier_activation classifier_bias classifier_proj_size end_n_top mtp_hidden_states_first mtp_layer_types
    mtp_layers_block_type mtp_local_layer_ids mtp_mlp_layer_types num_mtp_layers num_nextn_predict_layers pooling
    start_n_top summary_last_dropout

    audio_chunk_size audio_config audio_encoder audio_encoder_config audio_merge_size audio_vocab_size chroma_length
    encoder_attention_heads encoder_config encoder_ffn_dim encoder_layers image_seq_length image_size median_filter_width
    num_channels num_chroma num_encoder_attention_heads num_encoder_layers num_image_with_embedding num_mel_bins
    patch_in_forward patch_size patcher_config patching_batch_size patching_mode patching_threshold projector_bias
    projector_hidden_act share_encoder_decoder_embeddings text_encoder tie_encoder_decoder vision_config vocabulary_map
    vq_config

    _from_model_config assistant_confidence_threshold assistant_early_exit assistant_ensemble_weight assistant_lookbehind
    cache_config compile_config constraints continuous_batching_config disable_compile diversity_penalty do_sample
    dola_layers early_stopping encoder_repetition_penalty epsilon_cutoff eta_cutoff force_words_ids guidance_scale
    is_assistant length_penalty low_memory max_cache_len max_length max_matching_ngram_size max_new_tokens max_time
    min_length min_new_tokens min_p num_assistant_tokens num_assistant_tokens_schedule output_logits output_scores
    penalty_alpha prefill_chunk_size prompt_lookup_num_tokens remove_invalid_values renormalize_logits repetition_penalty
    sequence_bias speculation_type stop_strings target_lookbehind temperature token_healing top_h top_p typical_p use_mtp
    watermarking_config
    """)  # fmt: skip

#: The settings of a model (config.json, or the text model's part of it).
CONFIG = Listed(CONFIG_RULES, NEUTRAL)
#: Rotary parameters that the rules of `rope` do not read. What is not named here counts as changing.
ROPE = Listed(
    _table(
        (is_.ONE, "alpha attention_factor factor mscale mscale_all_dim partial_rotary_factor"),
        (is_.OFF, """
            beta_fast beta_slow high_freq_factor long_factor long_mscale low_freq_factor short_factor short_mscale
            truncate"""),
    ),
    # Sections are of positions in images; a text has the same position in all of them.
    words("type original_max_position_embeddings finetuned mrope_section mrope_interleaved"),
    is_.OFF,
    every=True,
)  # fmt: skip
#: Keys of a .gguf file below "ARCHITECTURE.": what llama.cpp reads for some architecture.
GGUF = Listed(
    _table(
        (is_.ONE, """
            attention.output_scale embedding_scale logit_scale residual_scale rope.scaling.alpha
            rope.scaling.attn_factor rope.scaling.yarn_attn_factor"""),
        (is_.CAP, """
            attention.clamp_kqv attn_logit_softcapping final_logit_softcapping router_logit_softcapping swiglu_clamp_exp
            swiglu_clamp_shexp"""),
        (is_.TRUE, "attention.causal"),
        (is_.SCORE_SCALE, "attention.scale"),
        (is_.UNSCALED, """
            rope.scaling.original_context_length rope.scaling.yarn_beta_fast rope.scaling.yarn_beta_slow
            rope.scaling.yarn_log_multiplier"""),
        (is_.among(-1.0), "rope.scaling.yarn_ext_factor"),
        (is_.WINDOW, "attention.sliding_window"),
        (is_.WINDOWED, "attention.sliding_window_pattern"),
        (is_.EXPERT, """
            expert_chunk_feed_forward_length expert_feed_forward_length expert_gating_func expert_group_count
            expert_group_used_count expert_shared_count expert_shared_feed_forward_length expert_used_count
            expert_weights_norm experts_per_group interleave_moe_layer_step leading_dense_block_count moe_every_n_layers
            moe_latent_size"""),
        (is_.EXPERT_FACTOR, "expert_group_scale expert_weights_scale"),
        (is_.OFF, """
            activation_sparsity_scale altup.active_idx altup.num_inputs attention.decay_lora_rank
            attention.gate_lora_rank attention.group_norm_epsilon attention.group_norm_groups attention.iclr_lora_rank
            attention.key_length_mla attention.kv_lora_rank attention.max_alibi_bias attention.q_lora_rank
            attention.relative_buckets_count attention.shared_kv_layers attention.temperature_length
            attention.temperature_scale attention.value_length_mla attention.value_residual_mix_lora_rank
            convnext.block_count convnext.embedding_length decoder_block_count embedding_length_per_layer_input
            full_attention_interval kda.head_dim posnet.block_count posnet.embedding_length rescale_every_n_layers
            rope.dimension_sections rope.scale_linear rope.scaling.factor shortconv.l_cache ssm.conv_kernel
            ssm.dt_b_c_rms ssm.group_count ssm.inner_size ssm.state_size ssm.time_step_rank swin_norm
            time_decay_extra_dim time_mix_extra_dim token_shift_count use_parallel_residual wkv.head_size"""),
    ),
    words("""
        context_length vocab_size tensor_data_layout pooling_type decoder_start_token_id nextn_predict_layers
        n_deepstack_layers features_length classifier.output_labels rope.scaling.finetuned rope.scaling.type
        """),
    fix="give a file without, or remove what nothing reads with gguf's `gguf-new-metadata --remove-metadata KEY FILE NEW`",
)  # fmt: skip
