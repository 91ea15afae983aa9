"""PostgreSQL's functions that leave nothing behind in a session; `db.stateless` reads the list.

What is missing here is missing on purpose: `set_config`, `setseed`, `pg_advisory_*`, `lo_*`,
`dblink*`; `query_to_xml` and its like, `ts_rewrite` and `ts_stat`, which run SQL given as text;
`currval`, `lastval`; everything that controls the server or reads its files.
"""

from __future__ import annotations

from typing import Final

_NUMBERS = """abs acos acosd acosh asin asind asinh atan atan2 atan2d atand atanh cbrt ceil
ceiling cos cosd cosh cot cotd degrees div erf erfc exp factorial floor gamma gcd lcm lgamma ln
log log10 min_scale mod pi power radians random random_normal round scale sign sin sind sinh sqrt
tan tand tanh trim_scale trunc width_bucket"""

_TEXTS = """ascii bit_count bit_length btrim casefold char_length character_length chr concat
concat_ws convert convert_from convert_to crc32 crc32c decode encode format get_bit get_byte
initcap left length lower lpad ltrim md5 octet_length parse_ident quote_ident quote_literal
quote_nullable regexp_count regexp_instr regexp_like regexp_match regexp_matches regexp_replace
regexp_split_to_array regexp_split_to_table regexp_substr repeat replace reverse right rpad rtrim
set_bit set_byte sha224 sha256 sha384 sha512 similar_to_escape split_part starts_with
string_to_array string_to_table strpos substr to_ascii to_bin to_char to_date to_hex to_number
to_oct to_timestamp translate unicode_assigned unistr upper"""

_TIMES = """age clock_timestamp date date_add date_bin date_part date_subtract date_trunc isfinite
justify_days justify_hours justify_interval make_date make_interval make_time make_timestamp
make_timestamptz now overlaps statement_timestamp timeofday timestamptz timetz timezone
transaction_timestamp"""

_ARRAYS_AND_RANGES = """array_append array_cat array_dims array_fill array_length array_lower
array_ndims array_position array_positions array_prepend array_remove array_replace array_reverse
array_sample array_shuffle array_sort array_to_string array_upper cardinality trim_array unnest
lower_inc lower_inf isempty upper_inc upper_inf range_merge multirange int4range int8range
numrange daterange tsrange tstzrange int4multirange int8multirange nummultirange datemultirange
tsmultirange tstzmultirange"""

_JSON = """array_to_json row_to_json to_json to_jsonb json_build_array json_build_object
jsonb_build_array jsonb_build_object jsonb_object json_array_elements json_array_elements_text
json_array_length json_each json_each_text json_extract_path json_extract_path_text
json_object_keys json_populate_record json_populate_recordset json_strip_nulls json_to_record
json_to_recordset json_typeof jsonb_array_elements jsonb_array_elements_text jsonb_array_length
jsonb_each jsonb_each_text jsonb_extract_path jsonb_extract_path_text jsonb_insert
jsonb_object_keys jsonb_path_exists jsonb_path_exists_tz jsonb_path_match jsonb_path_match_tz
jsonb_path_query jsonb_path_query_array jsonb_path_query_array_tz jsonb_path_query_first
jsonb_path_query_first_tz jsonb_path_query_tz jsonb_populate_record jsonb_populate_recordset
jsonb_pretty jsonb_set jsonb_set_lax jsonb_strip_nulls jsonb_to_record jsonb_to_recordset
jsonb_typeof"""

_AGGREGATES = """any_value array_agg avg bit_and bit_or bit_xor bool_and bool_or corr count
covar_pop covar_samp cume_dist dense_rank every first_value json_agg json_agg_strict
json_object_agg json_object_agg_strict json_object_agg_unique jsonb_agg jsonb_agg_strict
jsonb_object_agg jsonb_object_agg_strict jsonb_object_agg_unique lag last_value lead max min mode
nth_value ntile percent_rank percentile_cont percentile_disc range_agg range_intersect_agg rank
regr_avgx regr_avgy regr_count regr_intercept regr_r2 regr_slope regr_sxx regr_sxy regr_syy
row_number stddev stddev_pop stddev_samp string_agg sum var_pop var_samp variance"""

_SEARCH = """array_to_tsvector numnode plainto_tsquery phraseto_tsquery querytree setweight strip
to_tsquery to_tsvector ts_delete ts_filter ts_headline ts_rank ts_rank_cd
tsquery_phrase tsvector_to_array websearch_to_tsquery similarity word_similarity
strict_word_similarity unaccent"""

_NETWORK_AND_GEOMETRY = """abbrev broadcast family host hostmask inet_merge inet_same_family
masklen netmask network set_masklen text macaddr8_set7bit area box center circle diagonal diameter
height isclosed isopen line lseg npoints path pclose point polygon popen radius slope width"""

_SYSTEM = """bool bytea cidr date_eq enum_first enum_last enum_range gen_random_uuid
generate_series generate_subscripts get_current_ts_config inet json jsonb nextval num_nonnulls
num_nulls pg_backend_pid pg_column_size pg_current_xact_id pg_current_xact_id_if_assigned
pg_get_constraintdef pg_get_expr pg_get_indexdef pg_get_serial_sequence pg_is_in_recovery
pg_notify pg_relation_size pg_size_bytes pg_size_pretty pg_sleep pg_table_size
pg_total_relation_size pg_typeof quote_literal to_regclass to_regtype txid_current
txid_current_if_assigned uuid uuid_extract_timestamp uuid_extract_version uuid_generate_v4 uuidv4
uuidv7 version format_type col_description obj_description has_column_privilege
has_schema_privilege has_table_privilege current_database current_schema current_schemas xpath
xpath_exists xmlcomment hstore akeys avals skeys svals exist defined hstore_to_json
hstore_to_jsonb"""

STATELESS_FUNCTIONS: Final = frozenset(
    " ".join(
        [
            _NUMBERS,
            _TEXTS,
            _TIMES,
            _ARRAYS_AND_RANGES,
            _JSON,
            _AGGREGATES,
            _SEARCH,
            _NETWORK_AND_GEOMETRY,
            _SYSTEM,
        ]
    ).split()
)
